// "Choose all", for the films of a library folder and the episodes of a run; says how many are chosen, hidden ones too.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-choose]");
  const boxes = form
    ? [...form.querySelectorAll(form.dataset.choose)].filter((box) => !box.disabled)
    : [];
  if (boxes.length < 2) return;
  const button = form.querySelector("[data-all]");
  const words = button.querySelector("[data-words]");
  const chosen = form.querySelector("[data-chosen]");
  const isHidden = (box) => box.closest("[hidden]") !== null;
  const tell = () => {
    const on = boxes.filter((box) => box.checked);
    const away = on.filter(isHidden).length;
    if (chosen)
      chosen.textContent = `${on.length.toLocaleString("en")} chosen${away ? `, ${away.toLocaleString("en")} of them not shown` : ""}`;
    if (words) words.textContent = boxes.some(isHidden) ? "All shown or none" : "All or none";
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = boxes.filter((box) => !isHidden(box));
    const on = shown.some((box) => !box.checked);
    shown.forEach((box) => {
      box.checked = on;
    });
    boxes[0].dispatchEvent(new Event("change", { bubbles: true })); // the estimate follows
  });
  for (const happening of ["change", "input", "keyup"]) form.addEventListener(happening, tell); // keyup: Escape empties the filter
  tell();
});
