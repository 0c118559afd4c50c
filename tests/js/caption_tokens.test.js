import assert from "node:assert/strict";
import { test } from "node:test";
import { estimatedTokens, MAX_TOKENS } from "../../static/js/lib/caption_tokens.js";

test("short words, digits and runs of signs are a token each", () => {
  assert.equal(estimatedTokens(""), 0);
  assert.equal(estimatedTokens("a girl, blue hair"), 5);
  assert.equal(estimatedTokens("EP01 ... !"), 5);
});

test("long words and letters beyond Latin are several", () => {
  assert.equal(estimatedTokens("characters"), 2);
  assert.equal(estimatedTokens("ひなた"), 6);
});

test("more text never has fewer tokens, and blanks count nothing", () => {
  const words = ["girl", ",", "2", "unbelievable", "空", "(solo:1.2)"];
  let text = "";
  let before = 0;
  for (let step = 0; step < 60; step += 1) {
    text += `  ${words[step % words.length]}`;
    const now = estimatedTokens(text);
    assert.ok(now > before);
    before = now;
  }
  assert.ok(before > MAX_TOKENS);
});
