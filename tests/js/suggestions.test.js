import assert from "node:assert/strict";
import { test } from "node:test";
import {
  announcement,
  byName,
  commonName,
  inOrder,
  keysToAsk,
  mustWait,
  tierOf,
  wordsOf,
} from "../../static/js/lib/suggestions.js";

const sure = { a: 0.6, b: null, c: 0.95, d: 0.99, e: null };
const order = (rows, pinned = []) =>
  inOrder(rows, {
    isPinned: (row) => pinned.includes(row),
    confidenceOf: (row) => sure[row],
  }).join("");

test("rows with a sure suggestion come first, those without last, and equals stay in order", () => {
  assert.equal(order(["a", "b", "c", "d", "e"]), "cdabe");
  assert.equal(order(["d", "c", "a", "b", "e"]), "dcabe");
  assert.deepEqual([tierOf(0.8), tierOf(0.79), tierOf(null), tierOf(undefined)], [0, 1, 2, 2]);
});

test("nothing moves up to the row that has the focus", () => {
  assert.equal(order(["a", "b", "c", "d", "e"], ["b"]), "abcde");
  assert.equal(order(["e", "b", "a", "c", "d"], ["e"]), "ecdab");
  assert.equal(order(["b", "e", "a", "c", "d"], ["b", "a"]), "beacd");
});

test("what is ordered twice stays as it is", () => {
  for (const pinned of [[], ["b"], ["e"]]) {
    const once = order(["e", "b", "a", "c", "d"], pinned).split("");
    assert.equal(order(once, pinned), once.join(""));
  }
});

test("asked are the rows from the current one on, as many as one question takes", () => {
  assert.deepEqual(keysToAsk([1, 2, 3, 4], { current: 3, most: 3 }), [3, 4, 1]);
  assert.deepEqual(keysToAsk([1, 2], { current: undefined, most: 60 }), [1, 2]);
  assert.deepEqual(keysToAsk([], { current: 5, most: 60 }), []);
});

test("what Enter takes does not change in the row that has the focus", () => {
  assert.equal(mustWait({ before: "Aoi", isCurrent: true }), true);
  assert.equal(mustWait({ before: "", isCurrent: true }), false);
  assert.equal(mustWait({ before: "Aoi", isCurrent: false }), false);
});

test("a suggestion says the name and how sure it is", () => {
  assert.equal(wordsOf({ name: "Hinata", confidence: 0.934 }), "Probably Hinata (0.93)");
  assert.equal(wordsOf({ name: "Hinata", confidence: 1 }), "Probably Hinata (1.00)");
});

const suggestions = new Map([
  ["1", { name: "Aoi", confidence: 0.6 }],
  ["2", null],
  ["3", { name: "Hinata", confidence: 0.7 }],
  ["4", { name: "Hinata", confidence: 0.9 }],
]);

test("single faces are told by name, the most first", () => {
  assert.deepEqual(byName(suggestions), [
    { name: "Hinata", faces: ["3", "4"] },
    { name: "Aoi", faces: ["1"] },
  ]);
});

test("selected faces have a suggestion where it is the same for all of them", () => {
  assert.equal(commonName(["3", "4"], suggestions), "Hinata");
  assert.equal(commonName(["1", "4"], suggestions), "");
  assert.equal(commonName(["2"], suggestions), "");
  assert.equal(commonName(["3", "9"], suggestions), "");
  assert.equal(commonName([], suggestions), "");
});

test("one sentence is read aloud", () => {
  const current = { name: "Aoi", confidence: 0.9 };
  assert.equal(announcement({ current, count: 4 }), "Probably Aoi (0.90). Enter takes it.");
  assert.equal(announcement({ current: null, count: 1 }), "1 group has a suggested name.");
  assert.equal(announcement({ current: null, count: 4 }), "4 groups have a suggested name.");
  assert.equal(announcement({ current: null, count: 0 }), "");
});
