// Boxes on a picture: {left, top, width, height} as shares of the picture, 0 to 1. Nothing leaves
// the picture.
import { clamp } from "./numbers.js";

export const MIN_SIDE = 0.005; // smaller is a slip
const KEY_STEP = 0.004;
const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export const isTooSmall = ({ width, height }) => width < MIN_SIDE || height < MIN_SIDE;

export function moved(box, dx, dy) {
  return {
    ...box,
    left: clamp(box.left + dx, 0, 1 - box.width),
    top: clamp(box.top + dy, 0, 1 - box.height),
  };
}

// One side or corner follows the pointer: `edge` is made of n, e, s, w. It may pass the opposite
// side.
export function resized(box, edge, dx, dy) {
  const west = box.left + (edge.includes("w") ? dx : 0);
  const east = box.left + box.width + (edge.includes("e") ? dx : 0);
  const north = box.top + (edge.includes("n") ? dy : 0);
  const south = box.top + box.height + (edge.includes("s") ? dy : 0);
  const left = clamp(Math.min(west, east), 0, 1);
  const top = clamp(Math.min(north, south), 0, 1);
  return {
    left,
    top,
    width: clamp(Math.max(west, east), 0, 1) - left,
    height: clamp(Math.max(north, south), 0, 1) - top,
  };
}

// What a drag makes of a box: without an edge it moves.
export function dragged(box, edge, dx, dy) {
  return edge ? resized(box, edge, dx, dy) : moved(box, dx, dy);
}

// What an arrow key makes of a box; null for other keys. `resize`: the right and lower sides
// follow, else the whole box.
export function nudged(box, key, { resize }) {
  if (!DIRECTIONS[key]) return null;
  const [dx, dy] = DIRECTIONS[key].map((direction) => direction * KEY_STEP);
  if (!resize) return moved(box, dx, dy);
  return {
    ...box,
    width: clamp(box.width + dx, MIN_SIDE, 1 - box.left),
    height: clamp(box.height + dy, MIN_SIDE, 1 - box.top),
  };
}

export function corners({ left, top, width, height }) {
  return { left, top, right: left + width, bottom: top + height };
}
