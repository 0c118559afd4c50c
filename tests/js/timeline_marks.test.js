import assert from "node:assert/strict";
import { test } from "node:test";
import { nearestFrame, placesFrom } from "../../static/js/lib/timeline_marks.js";

const FRAMES = [
  [11, 0, 10, 0],
  [12, 100, 20, 4.5],
  [13, 130, 4, 6],
];

test("places are written as steps", () => {
  assert.deepEqual(placesFrom("3 1 1"), [3, 4, 5]);
  assert.deepEqual(placesFrom(""), []);
  assert.deepEqual(placesFrom(undefined), []);
});

test("the nearest mark is taken, from its nearer end", () => {
  assert.equal(nearestFrame(FRAMES, [0, 1, 2], 110)[0], 12, "inside of it");
  assert.equal(nearestFrame(FRAMES, [0, 1, 2], 126)[0], 13);
  assert.equal(nearestFrame(FRAMES, [0, 1, 2], 124)[0], 12);
  assert.equal(nearestFrame(FRAMES, [0, 1], 136)[0], 12, "only frames of this lane");
});

test("far from all marks there is none", () => {
  assert.equal(nearestFrame(FRAMES, [0, 1, 2], 60), null);
  assert.equal(nearestFrame(FRAMES, [], 100), null);
});
