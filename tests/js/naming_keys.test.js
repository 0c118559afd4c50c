import assert from "node:assert/strict";
import { test } from "node:test";
import { namingAction } from "../../static/js/lib/naming_keys.js";

const act = (key, context, more = {}) => namingAction({ key, ...more }, context);

test("in an empty name field every key of the page works, and letters and digits are typed", () => {
  const field = { place: "field" };
  assert.equal(act("ArrowDown", field), "next");
  assert.equal(act("ArrowUp", field), "previous");
  assert.equal(act("ArrowRight", field), "faces");
  assert.equal(act("-", field), "nobody");
  assert.equal(act("Delete", field), "not-faces");
  assert.equal(act("?", field), "help");
  assert.equal(act("/", field), "search");
  for (const key of ["s", "j", "z", "3", "Enter", " "]) assert.equal(act(key, field), null, key);
});

test("a field that holds text has all keys to itself", () => {
  for (const key of ["ArrowDown", "ArrowRight", "-", "Delete", "?", "/"]) {
    assert.equal(act(key, { place: "field", text: "Ao" }), null, key);
  }
});

test("on a face the arrows go through the faces and Enter goes to the name", () => {
  const crop = { place: "crop" };
  assert.equal(act("ArrowRight", crop), "next-face");
  assert.equal(act("ArrowLeft", crop), "previous-face");
  assert.equal(act("ArrowDown", crop), "next");
  assert.equal(act("Enter", crop), "name");
  assert.equal(act("Escape", crop), "name");
  assert.equal(act(" ", crop), null);
  assert.equal(act("j", crop), "next");
  assert.equal(act("k", { place: "page" }), "previous");
});

test("what the browser or an input method takes is left to them", () => {
  assert.equal(act("ArrowDown", { place: "field" }, { altKey: true }), null);
  assert.equal(act("-", { place: "page" }, { ctrlKey: true }), null);
  assert.equal(act("ArrowDown", { place: "field" }, { isComposing: true }), null);
});
