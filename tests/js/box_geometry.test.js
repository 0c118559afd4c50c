import assert from "node:assert/strict";
import { test } from "node:test";
import {
  corners,
  dragged,
  isTooSmall,
  MIN_SIDE,
  moved,
  nudged,
  resized,
} from "../../static/js/lib/box_geometry.js";

const BOX = { left: 0.25, top: 0.5, width: 0.25, height: 0.25 };

function assertClose(box, expected) {
  for (const [side, value] of Object.entries(expected)) {
    assert.ok(Math.abs(box[side] - value) < 1e-9, `${side}: ${box[side]} is not ${value}`);
  }
}

test("a box moves as a whole and stops at the edges of the picture", () => {
  assertClose(moved(BOX, 0.1, -0.1), { left: 0.35, top: 0.4, width: 0.25, height: 0.25 });
  assertClose(moved(BOX, 9, 9), { left: 0.75, top: 0.75, width: 0.25, height: 0.25 });
  assertClose(moved(BOX, -9, -9), { left: 0, top: 0, width: 0.25, height: 0.25 });
});

test("a corner takes its two sides along", () => {
  assertClose(resized(BOX, "se", 0.1, 0.05), { left: 0.25, top: 0.5, width: 0.35, height: 0.3 });
  assertClose(resized(BOX, "nw", 0.1, 0.05), { left: 0.35, top: 0.55, width: 0.15, height: 0.2 });
  assertClose(resized(BOX, "e", 0.1, 0.3), { left: 0.25, top: 0.5, width: 0.35, height: 0.25 });
});

test("a side that passes the opposite one turns the box over", () => {
  assertClose(resized(BOX, "e", -0.35, 0), { left: 0.15, width: 0.1 });
  assertClose(resized(BOX, "n", 0, 0.35), { top: 0.75, height: 0.1 });
});

test("a side stops at the edge of the picture", () => {
  assertClose(resized(BOX, "se", 9, 9), { left: 0.25, top: 0.5, width: 0.75, height: 0.5 });
  assertClose(resized(BOX, "nw", -9, -9), { left: 0, top: 0, width: 0.5, height: 0.75 });
});

test("a drag without an edge moves", () => {
  assert.deepEqual(dragged(BOX, "", 0.1, 0), moved(BOX, 0.1, 0));
  assert.deepEqual(dragged(BOX, "se", 0.1, 0), resized(BOX, "se", 0.1, 0));
});

test("arrows move or resize by small steps, other keys do nothing", () => {
  assertClose(nudged(BOX, "ArrowLeft", { resize: false }), { left: 0.246, width: 0.25 });
  assertClose(nudged(BOX, "ArrowDown", { resize: true }), { top: 0.5, height: 0.254 });
  assert.equal(nudged(BOX, "Enter", { resize: false }), null);
});

test("arrows make no box too small or larger than the picture", () => {
  const tiny = { ...BOX, width: MIN_SIDE, height: MIN_SIDE };
  assertClose(nudged(tiny, "ArrowLeft", { resize: true }), { width: MIN_SIDE });
  const full = { left: 0, top: 0, width: 1, height: 1 };
  assert.deepEqual(nudged(full, "ArrowRight", { resize: true }), full);
  assert.ok(isTooSmall({ width: MIN_SIDE / 2, height: 1 }));
  assert.ok(!isTooSmall(tiny));
});

test("corners", () => {
  assert.deepEqual(corners(BOX), { left: 0.25, top: 0.5, right: 0.5, bottom: 0.75 });
});
