// Zoom and pan of the picture on a frame's page: wheel, two fingers, keys, double click, a drag. The
// view sits on the stage, which stays when the boxes inside are drawn anew.
import { hasModifier, isTextField } from "./lib/keyboard.js";
import {
  FITTED,
  isZoomed,
  panned,
  pinched,
  viewAfterKey,
  wheelFactor,
  zoomedAt,
} from "./lib/picture_view.js";

const DOUBLE_CLICK_FACTOR = 3;
const MIDDLE_BUTTON = 1;
const stage = document.querySelector(".stage-wrap");
let view = FITTED;
let isSpaceDown = false;
let panFrom = null; // where the pointer of a pan was last
const touches = new Map(); // pointer id -> point on the stage

function sizes() {
  const { width: stageWidth, height: stageHeight } = stage.getBoundingClientRect();
  const { width, height } = stage.querySelector(".canvas").getBoundingClientRect();
  return { stageWidth, stageHeight, width: width / view.zoom, height: height / view.zoom };
}

function pointOf({ clientX, clientY }) {
  const { left, top } = stage.getBoundingClientRect();
  return { x: clientX - left, y: clientY - top };
}

function show(next) {
  view = next;
  for (const name of ["zoom", "x", "y"]) stage.style.setProperty(`--${name}`, view[name]);
  stage.classList.toggle("zoomed", isZoomed(view));
}

const isDrawing = () => stage.querySelector(".canvas.drawing") !== null;
const isOnBox = (event) => event.target.closest(".box") !== null;

// A drag that moves the picture: with Space or the middle button anywhere, else beside the boxes.
function pans(event) {
  if (event.button === MIDDLE_BUTTON || isSpaceDown) return true;
  return event.button === 0 && isZoomed(view) && !isDrawing() && !isOnBox(event);
}

function down(event) {
  if (event.pointerType === "touch") touches.set(event.pointerId, pointOf(event));
  if (touches.size < 2 && !pans(event)) return;
  if (touches.size > 1) stage.dispatchEvent(new CustomEvent("koma:pinch", { bubbles: true }));
  panFrom = touches.size > 1 ? null : pointOf(event);
  event.preventDefault();
  event.stopPropagation(); // no box is moved or drawn
  stage.setPointerCapture(event.pointerId);
  stage.classList.add("panning");
}

function move(event) {
  const point = pointOf(event);
  if (touches.has(event.pointerId)) {
    const before = [...touches.values()].slice(0, 2);
    touches.set(event.pointerId, point);
    if (touches.size > 1) {
      show(pinched(view, sizes(), before, [...touches.values()].slice(0, 2)));
      return;
    }
  }
  if (!panFrom) return;
  show(panned(view, sizes(), point.x - panFrom.x, point.y - panFrom.y));
  panFrom = point;
}

function up(event) {
  touches.delete(event.pointerId);
  panFrom = null;
  if (!touches.size) stage.classList.remove("panning");
}

// Space would press a focused control or scroll the page.
function isSpaceForStage(event) {
  const isFree = !event.target.closest("a, button, summary, input, label") || isOnBox(event);
  return event.key === " " && isFree && !isTextField(event.target) && stage.matches(":hover");
}

function holdSpace(event) {
  if (!isSpaceForStage(event)) return;
  event.preventDefault();
  isSpaceDown = event.type === "keydown";
  stage.classList.toggle("grab", isSpaceDown);
}

function key(event) {
  holdSpace(event);
  const isMeant = !hasModifier(event) && !isTextField(event.target);
  if (event.defaultPrevented || !isMeant || document.querySelector("dialog[open]")) return;
  const next = viewAfterKey(view, sizes(), event.key);
  if (!next) return;
  event.preventDefault();
  show(next);
}

if (stage) {
  stage.addEventListener("pointerdown", down, true);
  stage.addEventListener("pointermove", move);
  for (const type of ["pointerup", "pointercancel"]) document.addEventListener(type, up, true);
  stage.addEventListener(
    "wheel",
    (event) => {
      const factor = wheelFactor(event);
      if (factor <= 1 && !isZoomed(view)) return; // the page scrolls on
      event.preventDefault();
      show(zoomedAt(view, sizes(), pointOf(event), factor));
    },
    { passive: false },
  );
  // Two fingers zoom the picture, not the page.
  stage.addEventListener(
    "touchmove",
    (event) => {
      if (event.touches.length > 1 && event.cancelable) event.preventDefault();
    },
    { passive: false },
  );
  stage.addEventListener("dblclick", (event) => {
    if (isDrawing()) return;
    const larger = () => zoomedAt(view, sizes(), pointOf(event), DOUBLE_CLICK_FACTOR);
    show(isZoomed(view) ? FITTED : larger());
  });
  document.addEventListener("keydown", key, true); // before arrows change the frame
  document.addEventListener("keyup", holdSpace);
  window.addEventListener("blur", () => {
    isSpaceDown = false;
    stage.classList.remove("grab");
  });
  window.addEventListener("resize", () => show(panned(view, sizes(), 0, 0)));
}
