import assert from "node:assert/strict";
import { test } from "node:test";
import { itemsBetween, matches, neighbour } from "../../static/js/lib/lists.js";

test("a range holds both ends, whichever comes first", () => {
  const list = ["a", "b", "c", "d"];
  assert.deepEqual(itemsBetween(list, "b", "d"), ["b", "c", "d"]);
  assert.deepEqual(itemsBetween(list, "d", "b"), ["b", "c", "d"]);
  assert.deepEqual(itemsBetween(list, "c", "c"), ["c"]);
});

test("a range whose start is gone goes from the first item", () => {
  assert.deepEqual(itemsBetween(["a", "b", "c"], "gone", "b"), ["a", "b"]);
  assert.deepEqual(itemsBetween(["a", "b"], "gone", "gone too"), []);
});

test("the next item is the first free one", () => {
  const isFree = (item) => item !== "b";
  assert.equal(neighbour(["a", "b", "c"], "a", 1, isFree), "c");
  assert.equal(neighbour(["a", "b"], "a", 1, isFree), "b", "all are held: simply the next");
  assert.equal(neighbour(["a", "b"], "b", 1, isFree), undefined);
  assert.equal(neighbour(["a", "b"], null, 1, isFree), "a", "none yet: the first");
});

test("backwards it is the one before, held or not", () => {
  const isFree = (item) => item !== "b";
  assert.equal(neighbour(["a", "b", "c"], "c", -1, isFree), "b");
  assert.equal(neighbour(["a", "b", "c"], "a", -1, isFree), undefined);
});

test("a text matches with all words in any order", () => {
  assert.ok(matches("yama no susume 04", "04 yama"));
  assert.ok(matches("anything", "  "));
  assert.ok(!matches("yama no susume 04", "04 05"));
});
