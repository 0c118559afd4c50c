import assert from "node:assert/strict";
import { test } from "node:test";
import {
  gridTarget,
  hasModifier,
  isTextField,
  keyLabel,
  pageAction,
  usesKeysItself,
} from "../../static/js/lib/keyboard.js";

const BODY = { tagName: "BODY", closest: () => null };
const TEXT = { tagName: "INPUT", type: "text", closest: () => TEXT };
const BUTTON = { tagName: "BUTTON", type: "submit", closest: () => BUTTON };
const pressed = (key, more = {}) => ({ key, target: BODY, ...more });
const onPage = { dialogIsOpen: false };

test("letters press the control with that key, in upper case too", () => {
  assert.deepEqual(pageAction(pressed("n"), onPage), { action: "press", key: "n" });
  assert.deepEqual(pageAction(pressed("N"), onPage), { action: "press", key: "n" });
  assert.deepEqual(pageAction(pressed("ArrowUp"), onPage), { action: "press", key: "ArrowUp" });
});

test("Enter that is held since the page before presses nothing", () => {
  assert.equal(pageAction(pressed("Enter", { repeat: true }), onPage), null);
  assert.deepEqual(pageAction(pressed("Enter"), onPage), { action: "press", key: "Enter" });
  assert.deepEqual(pageAction(pressed("j", { repeat: true }), onPage), {
    action: "press",
    key: "j",
  });
});

test("keys rest with modifiers, input methods, open dialogs and where somebody took them", () => {
  for (const more of [
    { ctrlKey: true },
    { metaKey: true },
    { altKey: true },
    { isComposing: true },
    { defaultPrevented: true },
  ]) {
    assert.equal(pageAction(pressed("n", more), onPage), null, Object.keys(more)[0]);
  }
  assert.equal(pageAction(pressed("n"), { dialogIsOpen: true }), null);
  assert.ok(!hasModifier(pressed("n", { shiftKey: true })));
});

test("in a text field only Escape does something: it leaves the field", () => {
  assert.equal(pageAction(pressed("n", { target: TEXT }), onPage), null);
  assert.deepEqual(pageAction(pressed("Escape", { target: TEXT }), onPage), {
    action: "leave-field",
  });
});

test("Ctrl+Z undoes everywhere but where text was typed", () => {
  const undo = { action: "press", key: "Ctrl+z" };
  const field = (more) => ({ ...TEXT, value: "", defaultValue: "", ...more });
  assert.deepEqual(pageAction(pressed("z", { ctrlKey: true }), onPage), undo);
  assert.deepEqual(pageAction(pressed("Z", { metaKey: true }), onPage), undo);
  assert.deepEqual(pageAction(pressed("z", { ctrlKey: true, target: field() }), onPage), undo);
  for (const more of [{ value: "Ao" }, { defaultValue: "a caption that was emptied" }]) {
    const target = field(more);
    assert.equal(pageAction(pressed("z", { ctrlKey: true, target }), onPage), null);
  }
  assert.equal(pageAction(pressed("z", { ctrlKey: true }), { dialogIsOpen: true }), null);
  assert.equal(pageAction(pressed("z", { ctrlKey: true, shiftKey: true }), onPage), null, "redo");
  assert.equal(keyLabel("Ctrl+z"), "Ctrl+Z");
});

test("Enter and Space press what has the focus", () => {
  for (const key of ["Enter", " "]) {
    assert.equal(pageAction(pressed(key, { target: BUTTON }), onPage), null);
    assert.deepEqual(pageAction(pressed(key), onPage), { action: "press", key });
  }
  assert.deepEqual(pageAction(pressed("x", { target: BUTTON }), onPage), {
    action: "press",
    key: "x",
  });
});

test("checkboxes, sliders and buttons take no letters, fields do", () => {
  for (const type of ["checkbox", "radio", "range", "button", "submit"]) {
    assert.ok(!isTextField({ tagName: "INPUT", type }), type);
  }
  for (const type of ["text", "number", "search"]) {
    assert.ok(isTextField({ tagName: "INPUT", type }), type);
  }
  assert.ok(isTextField({ tagName: "SELECT", type: "select-one" }));
  assert.ok(isTextField({ tagName: "DIV", isContentEditable: true }));
  assert.ok(!isTextField(BODY));
});

test("arrows belong to a slider, but not to a checkbox", () => {
  assert.ok(usesKeysItself({ tagName: "INPUT", type: "range" }));
  assert.ok(usesKeysItself({ tagName: "SELECT", type: "select-one" }));
  assert.ok(!usesKeysItself({ tagName: "INPUT", type: "checkbox" }));
  assert.ok(!usesKeysItself(BODY));
});

test("labels of keys", () => {
  assert.equal(keyLabel("ArrowLeft"), "←");
  assert.equal(keyLabel(" "), "Space");
  assert.equal(keyLabel("n"), "N");
  assert.equal(keyLabel("Backspace"), "Backspace");
});

test("keys lead through a grid and stay in it", () => {
  const grid = { perRow: 4, length: 10 };
  assert.equal(gridTarget("ArrowRight", { ...grid, index: 1 }), 2);
  assert.equal(gridTarget("h", { ...grid, index: 0 }), 0);
  assert.equal(gridTarget("j", { ...grid, index: 3 }), 7);
  assert.equal(gridTarget("ArrowDown", { ...grid, index: 8 }), 9);
  assert.equal(gridTarget("k", { ...grid, index: 2 }), 0);
  assert.equal(gridTarget("l", { ...grid, index: -1 }), 0, "none yet: the first");
  assert.equal(gridTarget("q", { ...grid, index: 1 }), null);
});
