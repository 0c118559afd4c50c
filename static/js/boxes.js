// Face boxes on a frame: choose, draw, move and resize with mouse, finger or arrows. The server
// keeps the truth; a stale box is refused there and the page shows the new one.
import { corners, dragged, isTooSmall, nudged } from "./lib/box_geometry.js";
import { hasModifier } from "./lib/keyboard.js";
import { showToast } from "./toasts.js";

const SIDES = ["left", "top", "width", "height"];
const SLIP_PX = 4; // a pointer that moved less has clicked
const SEND_AFTER_MS = 500; // after the last arrow key
let isDrawing = false;
let chosenFace = null;
let drag = null; // {box, edge, startX, startY, clientX, clientY, start, isNew, hasMoved}
let sendTimer = null;
let isSending = false;
const unsaved = new Map(); // face -> {geometry, original}: moved here and not sent yet

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

const faceRows = () => [...document.querySelectorAll("[data-face-row]")];
const boxOf = (face) => canvas().querySelector(`.box[data-face="${face}"]`);

function choose(face) {
  chosenFace = face;
  for (const box of document.querySelectorAll(".box")) {
    box.classList.toggle("current", box.dataset.face === face);
  }
  for (const row of faceRows()) {
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

function post(box) {
  const values = {
    ...corners(geometryOf(box)),
    face: box.dataset.face || "",
    version: box.dataset.version || "",
    key: "",
  };
  return htmx.ajax("POST", canvas().dataset.boxes, {
    source: canvas(),
    values,
    target: "#labels",
    swap: "outerHTML",
  });
}

// A box that was moved, from `original`; the newest place counts.
function keepPlace(box, original) {
  const face = box.dataset.face;
  unsaved.set(face, {
    geometry: geometryOf(box),
    original: unsaved.get(face)?.original || original,
  });
}

// One after the other: each needs the version that the answer before has brought.
async function sendUnsaved() {
  clearTimeout(sendTimer);
  if (isSending || !unsaved.size) return;
  const [face, { geometry, original }] = unsaved.entries().next().value;
  unsaved.delete(face);
  const box = boxOf(face);
  if (!box) return;
  place(box, geometry);
  isSending = true;
  try {
    await post(box);
  } finally {
    isSending = false;
    // The answer draws the boxes anew; without one, or after a refusal, this one is where it was.
    if (box.isConnected && !unsaved.has(face)) place(box, original);
    await sendUnsaved();
  }
}

// The boxes were drawn anew: what goes on meanwhile goes on with the new ones.
function goOn() {
  if (drag && !drag.box.isConnected) {
    if (drag.isNew) canvas().append(drag.box);
    else drag.box = boxOf(drag.box.dataset.face) || drag.box;
  }
  for (const [face, { geometry }] of unsaved) {
    if (boxOf(face)) place(boxOf(face), geometry);
  }
  if (chosenFace) choose(chosenFace);
  setDrawing(isDrawing);
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

document.addEventListener("focusin", (event) => {
  const box = event.target.closest(".box");
  if (box) choose(box.dataset.face);
});

document.addEventListener("pointerdown", (event) => {
  if (!canEdit() || !canvas().contains(event.target) || event.button || drag) return;
  const point = pointOf(event);
  const box = event.target.closest(".box");
  if (isDrawing) {
    drag = { box: createBox(point), edge: "se", isNew: true };
  } else if (box) {
    drag = { box, edge: event.target.dataset.edge || "", isNew: false };
    choose(box.dataset.face);
    box.focus({ preventScroll: true });
  } else {
    return;
  }
  const { clientX, clientY } = event;
  const start = geometryOf(drag.box);
  Object.assign(drag, { startX: point.x, startY: point.y, clientX, clientY, start });
  event.preventDefault();
  canvas().setPointerCapture(event.pointerId);
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  const distance = Math.hypot(event.clientX - drag.clientX, event.clientY - drag.clientY);
  drag.hasMoved ||= distance >= SLIP_PX;
  if (!drag.hasMoved) return;
  const point = pointOf(event);
  const [dx, dy] = [point.x - drag.startX, point.y - drag.startY];
  place(drag.box, dragged(drag.start, drag.edge, dx, dy));
});

async function drawn(box) {
  if (isTooSmall(geometryOf(box))) {
    box.remove();
    showToast({ error: true, text: "That box is too small. Draw it again." });
    return;
  }
  setDrawing(false);
  const facesBefore = new Set(faceRows().map((row) => row.dataset.faceRow));
  await post(box);
  box.remove(); // what was saved was drawn anew
  const row = faceRows().find(({ dataset }) => !facesBefore.has(dataset.faceRow));
  if (!row) return;
  choose(row.dataset.faceRow);
  row.querySelector("input[name=name]")?.focus(); // else the letters of its name would be shortcuts
}

document.addEventListener("pointerup", () => {
  if (!drag) return;
  const { box, isNew, hasMoved, start } = drag;
  drag = null;
  if (isNew) {
    drawn(box);
  } else if (hasMoved && isTooSmall(geometryOf(box))) {
    place(box, start);
  } else if (hasMoved) {
    keepPlace(box, start);
    sendUnsaved();
  }
});

function dropDrag() {
  if (!drag) return;
  place(drag.box, drag.start);
  if (drag.isNew) drag.box.remove();
  drag = null;
}

document.addEventListener("pointercancel", dropDrag);
document.addEventListener("koma:pinch", dropDrag);

// Arrows move the focused box; with Shift they resize it. Elsewhere they change the frame or pan, so
// this comes first.
document.addEventListener(
  "keydown",
  (event) => {
    const box = event.target.closest(".box");
    if (!box || !canEdit() || hasModifier(event)) return;
    const before = geometryOf(box);
    const geometry = nudged(before, event.key, { resize: event.shiftKey });
    if (!geometry) return;
    event.preventDefault();
    place(box, geometry);
    keepPlace(box, before);
    clearTimeout(sendTimer);
    sendTimer = setTimeout(sendUnsaved, SEND_AFTER_MS);
  },
  true,
);

// A step that was not sent yet is the newest: it is taken back here.
document.addEventListener(
  "click",
  (event) => {
    if (!event.target.closest("[data-undo]") || !unsaved.size) return;
    event.stopPropagation();
    clearTimeout(sendTimer);
    for (const [face, { original }] of unsaved) if (boxOf(face)) place(boxOf(face), original);
    unsaved.clear();
  },
  true,
);

document.body.addEventListener("htmx:afterSettle", goOn);

// On a phone the neighbours before it would hide the current frame.
const currentStill = document.querySelector(".filmstrip [aria-current]");
if (currentStill) {
  const strip = currentStill.parentElement;
  const fromLeft = currentStill.offsetLeft - strip.offsetLeft;
  strip.scrollLeft = fromLeft - (strip.clientWidth - currentStill.clientWidth) / 2;
}
