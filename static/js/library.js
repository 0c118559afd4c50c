// "Choose all", for the films of a library folder and the episodes of a run.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-choose]");
  const boxes = form ? [...form.querySelectorAll(form.dataset.choose)].filter((box) => !box.disabled) : [];
  if (boxes.length < 2) return;
  const button = form.querySelector("[data-all]");
  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = boxes.filter((box) => !box.closest("[hidden]"));
    const on = shown.some((box) => !box.checked);
    shown.forEach((box) => { box.checked = on; });
    boxes[0].dispatchEvent(new Event("change", { bubbles: true })); // the estimate follows
  });
});
