import assert from "node:assert/strict";
import { test } from "node:test";
import {
  FITTED,
  isZoomed,
  MAX_ZOOM,
  panned,
  pinched,
  settled,
  toPicture,
  toStage,
  viewAfterKey,
  wheelFactor,
  zoomedAt,
} from "../../static/js/lib/picture_view.js";

const SIZES = { stageWidth: 800, stageHeight: 450, width: 800, height: 450 };

// Reproducible numbers from 0 to 1.
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

function randomCase(next) {
  const stageWidth = 200 + 1200 * next();
  const stageHeight = 150 + 800 * next();
  const shape = 0.3 + 3 * next();
  const width = Math.min(stageWidth, stageHeight * shape);
  const sizes = { stageWidth, stageHeight, width, height: width / shape };
  const view = settled({ zoom: 1 + (MAX_ZOOM - 1) * next(), x: next(), y: next() }, sizes);
  const point = { x: next() * stageWidth, y: next() * stageHeight };
  return { sizes, view, point };
}

function forRandomCases(check) {
  const next = numbers(7);
  for (let run = 0; run < 500; run += 1) check(randomCase(next), next);
}

function assertClose(point, expected, within = 1e-6) {
  for (const axis of ["x", "y"]) {
    const distance = Math.abs(point[axis] - expected[axis]);
    assert.ok(distance < within, `${axis}: ${point[axis]} is not ${expected[axis]}`);
  }
}

// The picture covers the stage on each axis on which it is larger, and is in the middle of others.
function assertSettled(view, sizes) {
  const start = toStage(view, sizes, { x: 0, y: 0 });
  const end = toStage(view, sizes, { x: 1, y: 1 });
  for (const [axis, length] of [
    ["x", sizes.stageWidth],
    ["y", sizes.stageHeight],
  ]) {
    if (end[axis] - start[axis] > length) {
      assert.ok(start[axis] < 1e-6 && end[axis] > length - 1e-6, `${axis}: a gap`);
    } else {
      assert.ok(Math.abs(start[axis] + end[axis] - length) < 1e-6, `${axis}: not in the middle`);
    }
  }
}

test("stage coordinates to the picture's and back give the same point at every zoom", () => {
  forRandomCases(({ sizes, view, point }) => {
    assertClose(toStage(view, sizes, toPicture(view, sizes, point)), point);
    const share = { x: point.x / sizes.stageWidth, y: point.y / sizes.stageHeight };
    assertClose(toPicture(view, sizes, toStage(view, sizes, share)), share);
  });
});

test("a zoom keeps the picture's point under the pointer, where no edge is in the way", () => {
  let checked = 0;
  forRandomCases(({ sizes, view, point }, next) => {
    const factor = 1 + next();
    const anchor = toPicture(view, sizes, point);
    const isInside = anchor.x > 0 && anchor.x < 1 && anchor.y > 0 && anchor.y < 1;
    const after = zoomedAt(view, sizes, point, factor);
    assertSettled(after, sizes);
    const covers = sizes.width * view.zoom > sizes.stageWidth;
    if (!isInside || !covers || sizes.height * view.zoom <= sizes.stageHeight) return;
    checked += 1;
    assertClose(toStage(after, sizes, anchor), point);
  });
  assert.ok(checked > 100);
});

test("a zoom is between the whole picture and sixteen times its size", () => {
  forRandomCases(({ sizes, view, point }) => {
    assert.equal(zoomedAt(view, sizes, point, 1000).zoom, MAX_ZOOM);
    assert.deepEqual(zoomedAt(view, sizes, point, 0.001), FITTED);
  });
});

test("the picture follows the pointer and no gap opens", () => {
  assertClose(panned({ zoom: 4, x: 0.5, y: 0.5 }, SIZES, 80, -45), { x: 0.475, y: 0.525 });
  forRandomCases(({ sizes, view }, next) => {
    assertSettled(panned(view, sizes, 4000 * (next() - 0.5), 4000 * (next() - 0.5)), sizes);
  });
});

test("what lies between two fingers stays between them", () => {
  const before = [
    { x: 300, y: 200 },
    { x: 500, y: 250 },
  ];
  const after = [
    { x: 200, y: 180 },
    { x: 620, y: 280 },
  ];
  const view = { zoom: 3, x: 0.5, y: 0.5 };
  const anchor = toPicture(view, SIZES, { x: 400, y: 225 });
  const result = pinched(view, SIZES, before, after);
  assertClose(toStage(result, SIZES, anchor), { x: 410, y: 230 });
  assert.ok(result.zoom > 3);
});

test("a wheel turned back undoes itself, in pixels and in lines", () => {
  const there = wheelFactor({ deltaY: -120, deltaMode: 0 });
  assert.ok(there > 1);
  assert.ok(Math.abs(there * wheelFactor({ deltaY: 120, deltaMode: 0 }) - 1) < 1e-9);
  assert.equal(
    wheelFactor({ deltaY: -3, deltaMode: 1 }),
    wheelFactor({ deltaY: -48, deltaMode: 0 }),
  );
});

test("keys zoom in, out and to the whole picture; arrows pan only where it is zoomed", () => {
  const larger = viewAfterKey(FITTED, SIZES, "+");
  assert.ok(isZoomed(larger));
  assert.deepEqual(viewAfterKey(FITTED, SIZES, "="), larger);
  assertClose(viewAfterKey(larger, SIZES, "-"), FITTED);
  assert.equal(viewAfterKey(larger, SIZES, "-").zoom, 1);
  assert.equal(viewAfterKey(larger, SIZES, "0"), FITTED);
  assert.ok(viewAfterKey(larger, SIZES, "ArrowRight").x > larger.x);
  assert.ok(viewAfterKey(larger, SIZES, "ArrowUp").y < larger.y);
  assert.equal(viewAfterKey(FITTED, SIZES, "ArrowRight"), null);
  assert.equal(viewAfterKey(larger, SIZES, "x"), null);
});
