// Zoom and pan of a picture on its stage. A view is {zoom, x, y}: `zoom` 1 shows the whole picture,
// and the point (x, y) of the picture, in shares of it, lies in the middle of the stage. Sizes are
// {stageWidth, stageHeight, width, height} in pixels; the last two are the whole picture's at zoom 1.
// Points on the stage are pixels from its upper left corner.
import { clamp } from "./numbers.js";

export const FITTED = Object.freeze({ zoom: 1, x: 0.5, y: 0.5 });
export const MAX_ZOOM = 16;
export const KEY_FACTOR = 1.5;
const PAN_STEP = 0.15; // of the stage
const ROUNDING = 1e-9;
const WHEEL_FACTOR = 1.0015; // per pixel of the wheel
const PIXELS_BY_MODE = [1, 16, 400]; // wheels count pixels, lines or pages
const PAN_BY_KEY = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export const isZoomed = ({ zoom }) => zoom > 1;

export function toPicture(view, sizes, { x, y }) {
  return {
    x: view.x + (x - sizes.stageWidth / 2) / (sizes.width * view.zoom),
    y: view.y + (y - sizes.stageHeight / 2) / (sizes.height * view.zoom),
  };
}

export function toStage(view, sizes, { x, y }) {
  return {
    x: sizes.stageWidth / 2 + (x - view.x) * sizes.width * view.zoom,
    y: sizes.stageHeight / 2 + (y - view.y) * sizes.height * view.zoom,
  };
}

// A picture larger than the stage covers it; a smaller one stays in the middle.
function middle(value, visible) {
  return visible >= 1 - ROUNDING ? 0.5 : clamp(value, visible / 2, 1 - visible / 2);
}

export function settled({ zoom, x, y }, sizes) {
  const inRange = clamp(zoom, 1, MAX_ZOOM);
  return {
    zoom: inRange,
    x: middle(x, sizes.stageWidth / (sizes.width * inRange)),
    y: middle(y, sizes.stageHeight / (sizes.height * inRange)),
  };
}

// The picture's point under `point` of the stage stays there, unless the picture's edge is reached.
export function zoomedAt(view, sizes, point, factor) {
  const anchor = toPicture(view, sizes, point);
  const zoom = clamp(view.zoom * factor, 1, MAX_ZOOM);
  const x = anchor.x - (point.x - sizes.stageWidth / 2) / (sizes.width * zoom);
  const y = anchor.y - (point.y - sizes.stageHeight / 2) / (sizes.height * zoom);
  return settled({ zoom, x, y }, sizes);
}

// The picture follows the pointer by so many pixels.
export function panned(view, sizes, dx, dy) {
  const x = view.x - dx / (sizes.width * view.zoom);
  const y = view.y - dy / (sizes.height * view.zoom);
  return settled({ ...view, x, y }, sizes);
}

const between = ([first, second]) => ({ x: (first.x + second.x) / 2, y: (first.y + second.y) / 2 });
const distance = ([first, second]) => Math.hypot(first.x - second.x, first.y - second.y);

// Two fingers moved from `before` to `after`: pairs of points on the stage.
export function pinched(view, sizes, before, after) {
  const from = between(before);
  const to = between(after);
  const factor = distance(after) / Math.max(1, distance(before));
  return panned(zoomedAt(view, sizes, from, factor), sizes, to.x - from.x, to.y - from.y);
}

export function wheelFactor({ deltaY, deltaMode }) {
  return WHEEL_FACTOR ** (-deltaY * (PIXELS_BY_MODE[deltaMode] ?? 1));
}

// What a key makes of a view; null for other keys. Arrows pan where the picture is zoomed.
export function viewAfterKey(view, sizes, key) {
  const centre = { x: sizes.stageWidth / 2, y: sizes.stageHeight / 2 };
  if (key === "+" || key === "=") return zoomedAt(view, sizes, centre, KEY_FACTOR);
  if (key === "-") return zoomedAt(view, sizes, centre, 1 / KEY_FACTOR);
  if (key === "0") return FITTED;
  if (!PAN_BY_KEY[key] || !isZoomed(view)) return null;
  const [dx, dy] = PAN_BY_KEY[key];
  return panned(view, sizes, dx * PAN_STEP * sizes.stageWidth, dy * PAN_STEP * sizes.stageHeight);
}
