// A character's faces: shift chooses a range, the threshold line shows what lies under it.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const grid = document.querySelector("[data-faces]");
  if (!grid) return;
  const boxes = () => [...grid.querySelectorAll("input[type=checkbox]")];
  let anchor = null;
  const count = () => {
    const bar = document.querySelector("[data-actions]");
    const chosen = boxes().filter((box) => box.checked).length;
    if (!bar) return;
    bar.querySelector("[data-count]").textContent = chosen;
    bar.hidden = !chosen; // without script it stays
  };
  grid.addEventListener("click", (event) => {
    if (!event.target.matches("input")) return;
    const list = boxes();
    if (event.shiftKey && anchor) {
      const [a, b] = [list.indexOf(anchor), list.indexOf(event.target)].sort((x, y) => x - y);
      list.slice(a, b + 1).forEach((box) => {
        box.checked = event.target.checked;
      });
    }
    anchor = event.target;
    count();
  });
  grid.addEventListener("change", count);
  const limit = document.querySelector("[data-limit]");
  if (!limit) return;
  const line = () => {
    document.querySelector("[data-limit-shown]").textContent = Number(limit.value).toFixed(2);
    let under = 0;
    grid.querySelectorAll("[data-by=model]").forEach((crop) => {
      const low = crop.dataset.sure !== "" && Number(crop.dataset.sure) < Number(limit.value);
      crop.classList.toggle("under", low);
      under += low;
    });
    document.querySelector("[data-under]").textContent = `(${under} on this page)`;
  };
  limit.addEventListener("input", line);
  line();
  count();
});
