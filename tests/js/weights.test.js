import assert from "node:assert/strict";
import { test } from "node:test";
import { fromSlider, toSlider } from "../../static/js/lib/weights.js";

test("a slider stands at the exponent of ten", () => {
  assert.equal(toSlider(100), 2);
  assert.equal(toSlider(1), 0);
  assert.equal(toSlider(0), null);
  assert.equal(toSlider(Number.NaN), null);
});

test("weights are short numbers and snap to 1", () => {
  assert.equal(fromSlider(0.01), "1");
  assert.equal(fromSlider(-0.01), "1");
  assert.equal(fromSlider(0.3), "2");
  assert.equal(fromSlider(0.5), "3.16");
  assert.equal(fromSlider(-0.5), "0.32");
});
