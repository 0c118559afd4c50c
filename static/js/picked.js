// A table whose rows are picked by checkboxes: a range with Shift, all by the head's, and their count.
import { itemsBetween } from "./lib/lists.js";

function listen(table) {
  const boxes = [...table.querySelectorAll("tbody input[type=checkbox]")];
  const all = table.querySelector("[data-pick-all]");
  const output = document.querySelector(table.dataset.picked);
  if (!all) return;
  let anchor = null;

  function refresh() {
    const picked = boxes.filter((box) => box.checked).length;
    all.checked = picked === boxes.length;
    all.indeterminate = picked > 0 && picked < boxes.length;
    if (output) output.textContent = picked;
  }

  table.addEventListener("click", (event) => {
    const box = event.target.closest("tbody input[type=checkbox]");
    if (!box) return;
    if (event.shiftKey && anchor) {
      for (const between of itemsBetween(boxes, anchor, box)) between.checked = box.checked;
    }
    anchor = box;
    refresh();
  });
  all.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    refresh();
  });
  table.addEventListener("change", refresh);
  refresh(); // the browser may have kept the marks
}

for (const table of document.querySelectorAll("[data-picked]")) listen(table);
