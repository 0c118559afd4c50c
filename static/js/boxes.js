// Face boxes on a frame: choose, draw, move and resize with mouse, finger or arrows. The server
// keeps the truth; a stale box is refused there and the page shows the new one.
import { corners, dragged, isTooSmall, MIN_SIDE, nudged } from "./lib/box_geometry.js";
import { hasModifier } from "./lib/keyboard.js";
import { showToast } from "./toasts.js";

const SIDES = ["left", "top", "width", "height"];
const SEND_AFTER_MS = 500; // after the last arrow key
let isDrawing = false;
let drag = null; // {box, edge, startX, startY, start, isNew, hasMoved}
let sendTimer = null;

const canvas = () => document.getElementById("canvas");
const canEdit = () => Boolean(canvas()?.dataset.canEdit);

function geometryOf(box) {
  return Object.fromEntries(SIDES.map((side) => [side, parseFloat(box.style[side]) / 100]));
}

function place(box, geometry) {
  for (const side of SIDES) box.style[side] = `${geometry[side] * 100}%`;
}

// Where the pointer is, as shares of the picture.
function pointOf(event) {
  const area = canvas().getBoundingClientRect();
  return {
    x: (event.clientX - area.left) / area.width,
    y: (event.clientY - area.top) / area.height,
  };
}

function choose(face) {
  for (const box of document.querySelectorAll(".box")) {
    box.classList.toggle("current", box.dataset.face === face);
  }
  for (const row of document.querySelectorAll("[data-face-row]")) {
    row.classList.toggle("current", row.dataset.faceRow === face);
  }
  const row = document.querySelector(`[data-face-row="${face}"]`);
  if (row) row.scrollIntoView({ block: "nearest" });
}

function setDrawing(on) {
  isDrawing = on;
  canvas().classList.toggle("drawing", on);
  const button = document.querySelector("[data-draw]");
  if (button) button.setAttribute("aria-pressed", String(on));
}

function send(box) {
  const values = {
    ...corners(geometryOf(box)),
    face: box.dataset.face || "",
    version: box.dataset.version || "",
    key: "",
  };
  htmx.ajax("POST", canvas().dataset.boxes, { values, target: "#labels", swap: "outerHTML" });
}

function createBox({ x, y }) {
  const box = document.createElement("button");
  box.type = "button";
  box.className = "box person current";
  canvas().append(box);
  place(box, { left: x, top: y, width: 0, height: 0 });
  return box;
}

document.addEventListener("click", (event) => {
  const box = event.target.closest(".box");
  if (box) choose(box.dataset.face);
  if (event.target.closest("[data-draw]")) setDrawing(!isDrawing);
  const row = event.target.closest("[data-face-row]");
  if (row) choose(row.dataset.faceRow);
});

document.addEventListener("pointerdown", (event) => {
  if (!canEdit() || !canvas().contains(event.target) || event.button) return;
  const point = pointOf(event);
  const box = event.target.closest(".box");
  if (isDrawing) {
    drag = { box: createBox(point), edge: "se", isNew: true };
  } else if (box && box.classList.contains("current")) {
    drag = { box, edge: event.target.dataset.edge || "", isNew: false };
  } else {
    return;
  }
  Object.assign(drag, { startX: point.x, startY: point.y, start: geometryOf(drag.box) });
  event.preventDefault();
  canvas().setPointerCapture(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const point = pointOf(event);
  const dx = point.x - drag.startX;
  const dy = point.y - drag.startY;
  drag.hasMoved ||= Math.abs(dx) + Math.abs(dy) > MIN_SIDE;
  place(drag.box, dragged(drag.start, drag.edge, dx, dy));
});

document.addEventListener("pointerup", () => {
  if (!drag) return;
  const { box, isNew, hasMoved } = drag;
  drag = null;
  if (isTooSmall(geometryOf(box))) {
    if (isNew) {
      box.remove();
      showToast({ error: true, text: "That box is too small. Draw it again." });
    }
    return;
  }
  if (hasMoved) send(box);
  if (isNew) setDrawing(false);
});

document.addEventListener("pointercancel", () => {
  if (!drag) return;
  place(drag.box, drag.start);
  if (drag.isNew) drag.box.remove();
  drag = null;
});

// Arrows move the chosen box; with Shift they resize it. Elsewhere they change the frame, so this
// comes first.
document.addEventListener(
  "keydown",
  (event) => {
    const box = event.target.closest(".box.current");
    if (!box || !canEdit() || hasModifier(event)) return;
    const geometry = nudged(geometryOf(box), event.key, { resize: event.shiftKey });
    if (!geometry) return;
    event.preventDefault();
    place(box, geometry);
    clearTimeout(sendTimer);
    sendTimer = setTimeout(() => send(box), SEND_AFTER_MS);
  },
  true,
);

// On a phone the neighbours before it would hide the current frame.
const currentStill = document.querySelector(".filmstrip [aria-current]");
if (currentStill) {
  const strip = currentStill.parentElement;
  const fromLeft = currentStill.offsetLeft - strip.offsetLeft;
  strip.scrollLeft = fromLeft - (strip.clientWidth - currentStill.clientWidth) / 2;
}
