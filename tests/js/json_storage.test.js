import assert from "node:assert/strict";
import { test } from "node:test";
import { outdatedKeys, readJson, writeJson } from "../../static/js/lib/json_storage.js";

// A storage as browsers have it, in memory.
function storage() {
  const values = new Map();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, value),
  };
}

test("what is written is read", () => {
  const store = storage();
  writeJson(store, "a", { at: 3, names: ["絵"] });
  assert.deepEqual(readJson(store, "a"), { at: 3, names: ["絵"] });
  assert.equal(readJson(store, "b"), null);
});

test("what is no JSON, and a storage that is full, are like none", () => {
  const store = storage();
  store.setItem("a", "{");
  assert.equal(readJson(store, "a"), null);
  const full = {
    setItem() {
      throw new Error("full");
    },
  };
  writeJson(full, "a", 1);
});

test("old entries go, and the oldest beyond a number", () => {
  const entries = [
    { key: "old", at: 10 },
    { key: "new", at: 100 },
    { key: "newer", at: 101 },
    { key: "newest", at: 102 },
  ];
  const limits = { now: 110, maxAge: 50, maxCount: 2 };
  assert.deepEqual(outdatedKeys(entries, limits), ["new", "old"]);
  assert.deepEqual(outdatedKeys(entries, { ...limits, maxCount: 9 }), ["old"]);
  assert.deepEqual(outdatedKeys([{ key: "damaged" }], limits), ["damaged"]);
});
