// A table whose rows are picked by checkboxes: a range with Shift, all by the head's, and their count.
// `data-with-picked="#form"` on a checkbox of another form: while it is checked, that form sends the picked rows of
// `#form` too.
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

function sendPicked(choice) {
  choice.closest("label").hidden = false;
  choice.form.addEventListener("formdata", (event) => {
    if (!choice.checked) return;
    for (const box of document.querySelector(choice.dataset.withPicked).elements) {
      if (box.type === "checkbox" && box.checked) event.formData.append(box.name, box.value);
    }
  });
}

for (const choice of document.querySelectorAll("[data-with-picked]")) sendPicked(choice);
for (const table of document.querySelectorAll("[data-picked]")) listen(table);
