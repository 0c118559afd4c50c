// Scrubbing: the mark nearest to the pointer shows its still beside the timeline.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const line = document.querySelector("[data-timeline]");
  if (!line) return;
  const image = document.querySelector("[data-scrub-img]");
  const words = document.querySelector("[data-scrub-text]");
  let shown = "";
  line.addEventListener("pointermove", (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const box = svg.getBoundingClientRect();
    const at = 1000 * (event.clientX - box.left) / box.width;
    let best = null;
    let least = 25;
    svg.querySelectorAll("rect").forEach((mark) => {
      const x = Number(mark.getAttribute("x"));
      const far = Math.max(0, x - at, at - x - Number(mark.getAttribute("width")));
      if (far < least) { least = far; best = mark; }
    });
    if (!best || best.dataset.preview === shown || !best.dataset.preview) return;
    shown = best.dataset.preview;
    image.src = line.dataset.file.replace("NAME", shown);
    words.textContent = best.dataset.time;
  });
});
