import assert from "node:assert/strict";
import { test } from "node:test";
import { draftKey, partsOf } from "../../static/js/lib/draft_keys.js";

const FIELD = { page: "/c/1/add/", action: "/c/1/save/", name: "title", index: 0, place: "" };

test("a key names the page, the form, the field, and which of several it is", () => {
  assert.equal(draftKey("koma.draft:7:", FIELD), "koma.draft:7:/c/1/add/|/c/1/save/|title|0|");
  const keys = [
    FIELD,
    { ...FIELD, index: 1 },
    { ...FIELD, place: "Title of episode 2" },
    { ...FIELD, page: "/c/2/add/" },
  ].map((field) => draftKey("", field));
  assert.equal(new Set(keys).size, 4);
});

test("the form and the field are read from a key, whatever a place is called", () => {
  const key = draftKey("koma.draft:7:", { ...FIELD, place: "a|b" });
  assert.deepEqual(partsOf(key), { action: "/c/1/save/", name: "title" });
});
