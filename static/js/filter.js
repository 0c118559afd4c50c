// A field that leaves of a long list what holds all its words; counts what is left. Only where
// there are many.
import { matches } from "./lib/lists.js";
import { count } from "./lib/numbers.js";

const FEW = 12;

function listen(field) {
  const items = [...document.querySelectorAll(field.dataset.filter)];
  if (items.length <= FEW) return;
  const texts = items.map((item) => item.textContent.toLowerCase());
  const output = field.parentElement.querySelector("output");
  field.parentElement.hidden = false;

  function apply() {
    const query = field.value.toLowerCase();
    for (const [index, item] of items.entries()) item.hidden = !matches(texts[index], query);
    if (!output) return;
    const left = items.filter((item) => !item.hidden).length;
    output.textContent = query.trim() ? `${count(left)} of ${count(items.length)}` : "";
  }

  field.addEventListener("input", apply);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault(); // inside a form it would send it
    if (event.key === "Escape" && field.value) {
      field.value = "";
      apply();
    }
  });
  apply(); // the browser may have kept the words
}

document.addEventListener("DOMContentLoaded", () => {
  for (const field of document.querySelectorAll("[data-filter]")) listen(field);
});
