// Scrubbing: the mark nearest to the pointer shows its still beside the timeline; a press opens its frame.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const line = document.querySelector("[data-timeline]");
  if (!line) return;
  const image = document.querySelector("[data-scrub-img]");
  const words = document.querySelector("[data-scrub-text]");
  const frames = JSON.parse(line.dataset.frames); // [key, left, width, seconds]
  const lanes = new Map();
  const REACH = 25; // of the line's 1000 units
  const LOAD_AFTER_MS = 60; // no still is asked for while the pointer only passes
  let shown = 0;
  let timer = 0;

  const placesOf = (svg) => {
    if (!lanes.has(svg)) {
      let place = 0;
      const deltas = svg.dataset.frames ? svg.dataset.frames.split(" ") : [];
      lanes.set(
        svg,
        deltas.map((delta) => (place += Number(delta))),
      );
    }
    return lanes.get(svg);
  };
  const nearest = (event) => {
    const svg = event.target.closest("svg[data-frames]");
    if (!svg) return null;
    const box = svg.getBoundingClientRect();
    const at = (1000 * (event.clientX - box.left)) / box.width;
    let best = null;
    let least = REACH;
    placesOf(svg).forEach((place) => {
      const [, left, width] = frames[place];
      const far = Math.max(0, left - at, at - left - width);
      if (far < least) {
        least = far;
        best = frames[place];
      }
    });
    return best;
  };
  const addressOf = (base, key) => base.replace("/0/", `/${key}/`);
  const clock = (seconds) => {
    // as the filter `timecode` writes it
    const tenths = Math.floor(seconds * 10);
    const two = (n) => String(n).padStart(2, "0");
    const rest = `${two(Math.floor(tenths / 600) % 60)}:${two(Math.floor(tenths / 10) % 60)}.${tenths % 10}`;
    return tenths >= 36000 ? `${Math.floor(tenths / 36000)}:${rest}` : rest;
  };

  line.addEventListener("pointermove", (event) => {
    const frame = nearest(event);
    line.classList.toggle("on-mark", Boolean(frame));
    if (!frame || frame[0] === shown) return;
    shown = frame[0];
    words.textContent = clock(frame[3]);
    clearTimeout(timer);
    timer = setTimeout(() => {
      image.src = addressOf(line.dataset.still, shown);
    }, LOAD_AFTER_MS);
  });
  const open = (event) => {
    const frame = nearest(event);
    if (!frame || event.button > 1) return;
    const address = addressOf(line.dataset.frame, frame[0]);
    if (event.button === 1 || event.ctrlKey || event.metaKey)
      window.open(address, "_blank", "noopener");
    else location.assign(address);
  };
  line.addEventListener("click", open);
  line.addEventListener("auxclick", open);
});
