import assert from "node:assert/strict";
import { test } from "node:test";
import { createTurns } from "../../static/js/lib/turns.js";

const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("tasks end in the order in which they came, however long each takes", async () => {
  const inTurn = createTurns();
  const ended = [];
  const first = inTurn(async () => {
    await later(20);
    ended.push("slow");
    return 1;
  });
  const second = inTurn(() => ended.push("quick"));
  assert.deepEqual(ended, [], "nothing runs before its turn");
  assert.equal(await first, 1);
  await second;
  assert.deepEqual(ended, ["slow", "quick"]);
});

test("a task that fails tells who sent it and holds up nobody", async () => {
  const inTurn = createTurns();
  const failing = inTurn(() => {
    throw new Error("no answer");
  });
  const next = inTurn(() => "done");
  await assert.rejects(failing, /no answer/);
  assert.equal(await next, "done");
});

test("a task that is added by another one comes after those that wait", async () => {
  const inTurn = createTurns();
  const order = [];
  let inner;
  const outer = inTurn(() => {
    inner = inTurn(() => order.push("inner"));
  });
  const waiting = inTurn(() => order.push("waiting"));
  await Promise.all([outer, waiting]);
  await inner;
  assert.deepEqual(order, ["waiting", "inner"]);
});
