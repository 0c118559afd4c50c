// A character's faces: shift chooses a range, the threshold shows what lies under it.
import { itemsBetween } from "./lib/lists.js";

const grid = document.querySelector("[data-faces]");
const limit = document.querySelector("[data-limit]");

function chooseFaces() {
  const checkboxes = () => [...grid.querySelectorAll("input[type=checkbox]")];
  let anchor = null;

  function showCount() {
    const bar = document.querySelector("[data-actions]");
    if (!bar) return;
    const chosen = checkboxes().filter((checkbox) => checkbox.checked).length;
    bar.querySelector("[data-count]").textContent = chosen;
    bar.hidden = !chosen; // without script it stays
  }

  grid.addEventListener("click", ({ target, shiftKey }) => {
    if (!target.matches("input")) return;
    if (shiftKey && anchor) {
      for (const checkbox of itemsBetween(checkboxes(), anchor, target)) {
        checkbox.checked = target.checked;
      }
    }
    anchor = target;
    showCount();
  });
  grid.addEventListener("change", showCount);
  showCount();
}

function showThreshold() {
  const threshold = Number(limit.value);
  document.querySelector("[data-limit-shown]").textContent = threshold.toFixed(2);
  let under = 0;
  for (const crop of grid.querySelectorAll("[data-by=model]")) {
    const isUnder = crop.dataset.sure !== "" && Number(crop.dataset.sure) < threshold;
    crop.classList.toggle("under", isUnder);
    if (isUnder) under += 1;
  }
  document.querySelector("[data-under]").textContent = `${under} on this page`;
}

// Once the browser has put back what was chosen.
document.addEventListener("DOMContentLoaded", () => {
  if (!grid) return;
  chooseFaces();
  if (!limit) return;
  limit.addEventListener("input", showThreshold);
  showThreshold();
});
