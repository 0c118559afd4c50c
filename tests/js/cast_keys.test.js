import assert from "node:assert/strict";
import { test } from "node:test";
import { meaning, nameFor } from "../../static/js/lib/cast_keys.js";

const cast = new Map([["2", { name: "Aoi" }]]);

test("a lone digit means its person", () => {
  assert.deepEqual(meaning("2", cast), { digit: "2", person: { name: "Aoi" } });
  assert.deepEqual(meaning(" 2 ", cast), { digit: "2", person: { name: "Aoi" } });
});

test("a digit that nobody has means nobody, and is never sent as a name", () => {
  assert.deepEqual(meaning("7", cast), { digit: "7", person: null });
  assert.equal(nameFor("7", { cast, guess: "Hinata" }), "");
});

test("a name that begins with a digit is a name", () => {
  for (const text of ["2B", "2 B", "22", "0", "A2"]) {
    assert.equal(meaning(text, cast), null);
    assert.equal(nameFor(text, { cast }), text);
  }
});

test("what is sent is the digit's person, else the text, else the guess", () => {
  assert.equal(nameFor("2", { cast }), "Aoi");
  assert.equal(nameFor(" Kokona ", { cast, guess: "Hinata" }), "Kokona");
  assert.equal(nameFor("  ", { cast, guess: "Hinata" }), "Hinata");
  assert.equal(nameFor("", { cast }), "");
});
