// Scrubbing: the mark nearest to the pointer shows its still beside the timeline; a press opens its
// frame.
import { timecode } from "./lib/numbers.js";
import { nearestFrame, placesFrom } from "./lib/timeline_marks.js";

const LOAD_AFTER_MS = 60; // no still is asked for while the pointer only passes
const UNITS = 1000; // of a lane's width

const addressOf = (base, key) => base.replace("/0/", `/${key}/`);

function listen(timeline) {
  const image = document.querySelector("[data-scrub-img]");
  const label = document.querySelector("[data-scrub-text]");
  const frames = JSON.parse(timeline.dataset.frames); // [key, left, width, seconds]
  const placesOfLanes = new Map();
  let shown = 0;
  let timer = 0;

  function placesOf(lane) {
    if (!placesOfLanes.has(lane)) placesOfLanes.set(lane, placesFrom(lane.dataset.frames));
    return placesOfLanes.get(lane);
  }

  function frameUnder(event) {
    const lane = event.target.closest("svg[data-frames]");
    if (!lane) return null;
    const area = lane.getBoundingClientRect();
    const position = (UNITS * (event.clientX - area.left)) / area.width;
    return nearestFrame(frames, placesOf(lane), position);
  }

  timeline.addEventListener("pointermove", (event) => {
    const frame = frameUnder(event);
    timeline.classList.toggle("on-mark", Boolean(frame));
    if (!frame) return;
    const [key, , , seconds] = frame;
    if (key === shown) return;
    shown = key;
    label.textContent = timecode(seconds);
    clearTimeout(timer);
    timer = setTimeout(() => {
      image.src = addressOf(timeline.dataset.still, shown);
    }, LOAD_AFTER_MS);
  });

  function open(event) {
    const frame = frameUnder(event);
    if (!frame || event.button > 1) return;
    const address = addressOf(timeline.dataset.frame, frame[0]);
    const inNewTab = event.button === 1 || event.ctrlKey || event.metaKey;
    if (inNewTab) window.open(address, "_blank", "noopener");
    else location.assign(address);
  }
  timeline.addEventListener("click", open);
  timeline.addEventListener("auxclick", open);
}

const timeline = document.querySelector("[data-timeline]");
if (timeline) listen(timeline);
