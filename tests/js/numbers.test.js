import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp, count, duration, fileSize, timecode } from "../../static/js/lib/numbers.js";

test("a value is kept between two bounds", () => {
  assert.equal(clamp(-1, 0, 1), 0);
  assert.equal(clamp(0.5, 0, 1), 0.5);
  assert.equal(clamp(2, 0, 1), 1);
});

test("thousands are parted by commas", () => {
  assert.equal(count(7), "7");
  assert.equal(count(1234567), "1,234,567");
});

test("sizes are in powers of 1000, from MB on with a tenth", () => {
  assert.equal(fileSize(0), "0 B");
  assert.equal(fileSize(999), "999 B");
  assert.equal(fileSize(1_000), "1 kB");
  assert.equal(fileSize(999_400), "999 kB");
  assert.equal(fileSize(999_600), "1.0 MB");
  assert.equal(fileSize(2_450_000_000), "2.5 GB");
  assert.equal(fileSize(9e15), "9,000.0 TB");
});

test("durations are in seconds, minutes, or hours and minutes", () => {
  assert.equal(duration(0.2), "under 1 s");
  assert.equal(duration(89), "89 s");
  assert.equal(duration(90), "2 min");
  assert.equal(duration(5000), "83 min");
  assert.equal(duration(5450), "1 h 31 min");
});

test("times in a film have hours only where there are some", () => {
  assert.equal(timecode(0), "00:00.0");
  assert.equal(timecode(83.49), "01:23.4");
  assert.equal(timecode(3599.99), "59:59.9");
  assert.equal(timecode(3723.4), "1:02:03.4");
});
