import assert from "node:assert/strict";
import { test } from "node:test";
import { fingerprint, isAnswered, newKey } from "../../static/js/lib/submissions.js";

test("keys are 128 random bits in hexadecimal digits", () => {
  const keys = Array.from({ length: 100 }, newKey);
  for (const key of keys) assert.match(key, /^[0-9a-f]{32}$/);
  assert.equal(new Set(keys).size, 100);
});

test("the same words in another order, with another key, are the same submission", () => {
  const first = [
    ["csrfmiddlewaretoken", "t1"],
    ["key", "k1"],
    ["name", "Hinata"],
    ["face", "3"],
    ["face", "4"],
  ];
  const second = [
    ["face", "4"],
    ["face", "3"],
    ["name", "Hinata"],
    ["key", "k2"],
  ];
  assert.equal(fingerprint("/faces/", first), fingerprint("/faces/", second));
});

test("another address, another value or another file is another submission", () => {
  const file = (name, text) => [["file", new File([text], name)]];
  const marks = [
    fingerprint("/a/", [["name", "x"]]),
    fingerprint("/b/", [["name", "x"]]),
    fingerprint("/a/", [["name", "y"]]),
    fingerprint("/a/", file("x", "1")),
    fingerprint("/a/", file("x", "22")),
    fingerprint("/a/", file("y", "1")),
  ];
  assert.equal(new Set(marks).size, marks.length);
});

test("an outage, a lost connection and an ended session answer nothing", () => {
  assert.ok(isAnswered({ status: 200, redirect: null }));
  assert.ok(isAnswered({ status: 409, redirect: null }));
  assert.ok(isAnswered({ status: 204, redirect: "/c/1/" }));
  assert.ok(!isAnswered({ status: 0, redirect: null }));
  assert.ok(!isAnswered({ status: 503, redirect: null }));
  assert.ok(!isAnswered({ status: 200, redirect: "/login/?next=/c/1/" }));
});
