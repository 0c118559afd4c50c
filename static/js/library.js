// "Choose all", for the films of a library folder and the episodes of a run; says how many are
// chosen, hidden ones too.
import { count } from "./lib/numbers.js";

const isHidden = (checkbox) => checkbox.closest("[hidden]") !== null;

function listen(form, checkboxes) {
  const button = form.querySelector("[data-all]");
  const label = button.querySelector("[data-words]");
  const output = form.querySelector("[data-chosen]");

  function showCount() {
    const chosen = checkboxes.filter((checkbox) => checkbox.checked);
    const hidden = chosen.filter(isHidden).length;
    if (output) {
      const rest = hidden ? `, ${count(hidden)} of them not shown` : "";
      output.textContent = `${count(chosen.length)} chosen${rest}`;
    }
    if (!label) return;
    const which = checkboxes.some(isHidden) ? "all shown" : "all";
    label.textContent = `Select ${which} or none`;
  }

  button.hidden = false;
  button.addEventListener("click", () => {
    const shown = checkboxes.filter((checkbox) => !isHidden(checkbox));
    const on = shown.some((checkbox) => !checkbox.checked);
    for (const checkbox of shown) checkbox.checked = on;
    checkboxes[0].dispatchEvent(new Event("change", { bubbles: true })); // the estimate follows
  });
  // Keys: Escape empties the filter.
  for (const type of ["change", "input", "keyup"]) form.addEventListener(type, showCount);
  showCount();
}

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-choose]");
  if (!form) return;
  const all = [...form.querySelectorAll(form.dataset.choose)];
  const checkboxes = all.filter((checkbox) => !checkbox.disabled);
  if (checkboxes.length > 1) listen(form, checkboxes);
});
