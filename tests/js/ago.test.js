import assert from "node:assert/strict";
import test from "node:test";
import { ago } from "../../static/js/lib/ago.js";

const NOW = Date.parse("2026-03-05T12:00:00Z");
const before = (seconds) => ago(NOW - seconds * 1000, NOW);

test("the unit follows the age, and a part of a unit does not count", () => {
  assert.equal(before(59), "just now");
  assert.equal(before(60), "1 min ago");
  assert.equal(before(3599), "59 min ago");
  assert.equal(before(3600), "1 h ago");
  assert.equal(before(86399), "23 h ago");
  assert.equal(before(86400), "yesterday");
  assert.equal(before(3 * 86400 - 1), "2 days ago");
});

test("after a month the date says it better", () => {
  assert.equal(before(30 * 86400 - 1), "29 days ago");
  assert.equal(before(30 * 86400), null);
});

test("a moment that the browser's clock has not reached is now", () => {
  assert.equal(before(-5), "just now");
});
