// A field that leaves of a long list what holds all its words; counts what is left. Only where there are many.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const FEW = 12;
  for (const field of document.querySelectorAll("[data-filter]")) {
    const items = [...document.querySelectorAll(field.dataset.filter)];
    if (items.length <= FEW) continue;
    const texts = items.map((item) => item.textContent.toLowerCase());
    const left = field.parentElement.querySelector("output");
    field.parentElement.hidden = false;
    const apply = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      items.forEach((item, n) => {
        const fits = words.every((word) => texts[n].includes(word));
        item.hidden = !fits;
        shown += fits;
      });
      if (left)
        left.textContent = words.length
          ? `${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")}`
          : "";
    };
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
});
