// "Choose all" for the films and zips of a library folder.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-library]");
  const boxes = form ? [...form.querySelectorAll(".library input[type=checkbox]")] : [];
  if (boxes.length < 2) return;
  const button = form.querySelector("[data-all]");
  button.hidden = false;
  button.addEventListener("click", () => {
    const on = boxes.some((box) => !box.checked);
    boxes.forEach((box) => { box.checked = on; });
  });
});
