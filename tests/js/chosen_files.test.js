import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fileKey,
  groupName,
  listedNames,
  pastedName,
  pictureTest,
  sortChosen,
} from "../../static/js/lib/chosen_files.js";

const isPicture = pictureTest("jpg|png|webp");
const chosen = (...paths) => paths.map((path) => ({ path, file: { name: path } }));
const pathsOf = (entries) => entries.map(({ path }) => path);

test("pictures are known by their endings", () => {
  assert.ok(isPicture("deep/A.PNG"));
  assert.ok(!isPicture("png"));
  assert.ok(!isPicture("a.png.txt"));
});

test("a file is told by its name (FNV-1a), size and date", () => {
  const file = { name: "", size: 5, lastModified: 7 };
  assert.equal(fileKey(file), "5-7-811c9dc5");
  assert.equal(fileKey({ ...file, name: "a" }), "5-7-e40c292c");
  assert.equal(fileKey({ ...file, name: "foobar" }), "5-7-bf9cf968");
  assert.notEqual(fileKey({ ...file, name: "絵" }), fileKey({ ...file, name: "会" }));
});

test("films, pictures with their texts, and everything else are parted", () => {
  const sorted = sortChosen(chosen("a.mkv", "b.png", "b.txt", "c.doc", "d.zip"), isPicture);
  assert.deepEqual(pathsOf(sorted.films), ["a.mkv", "d.zip"]);
  assert.equal(sorted.groups.length, 1);
  assert.equal(sorted.groups[0].folder, "");
  assert.deepEqual(pathsOf(sorted.groups[0].entries), ["b.png", "b.txt"]);
  assert.deepEqual(pathsOf(sorted.others), ["c.doc"]);
});

test("each folder is a group of its own, its films are not in it", () => {
  const entries = chosen("Art/1.png", "Art/deep/2.png", "Art/x.mkv", "Other/3.jpg");
  const { films, groups } = sortChosen(entries, isPicture);
  assert.deepEqual(pathsOf(films), ["Art/x.mkv"]);
  assert.deepEqual(
    groups.map(({ folder, entries: inside }) => [folder, pathsOf(inside)]),
    [
      ["Art", ["1.png", "deep/2.png"]],
      ["Other", ["3.jpg"]],
    ],
  );
});

test("texts without a picture are left out", () => {
  const { groups, others } = sortChosen(chosen("notes/a.txt"), isPicture);
  assert.deepEqual(groups, []);
  assert.deepEqual(pathsOf(others), ["a.txt"]);
});

test("leftovers of systems are counted, hidden films and pictures are named", () => {
  const entries = chosen(
    ".DS_Store",
    "Art/Thumbs.db",
    "__MACOSX/a.png",
    "Art/._a.png",
    ".x.mkv",
    "Art/.y.png",
  );
  const { hidden, leftovers, groups } = sortChosen(entries, isPicture);
  assert.equal(leftovers, 4);
  assert.deepEqual(pathsOf(hidden), [".x.mkv", "Art/.y.png"]);
  assert.deepEqual(groups, []);
});

test("hidden descriptions beside pictures come along", () => {
  const { groups } = sortChosen(chosen("Art/a.png", "Art/.a_meta.json"), isPicture);
  assert.deepEqual(pathsOf(groups[0].entries), ["a.png", ".a_meta.json"]);
});

test("a group is named after its folder, else after its first picture", () => {
  assert.equal(groupName({ folder: "Art", entries: chosen("1.png") }, isPicture), "Art");
  assert.equal(groupName({ folder: "", entries: chosen("a.png", "a.txt") }, isPicture), "a");
  const two = chosen("b.png", "a 絵.png", "0.txt");
  assert.equal(groupName({ folder: "", entries: two }, isPicture), "a 絵 and 1 more");
});

test("of many names the first three are listed", () => {
  assert.equal(listedNames(chosen("a", "b", "c")), "a, b, c");
  assert.equal(listedNames(chosen("a", "b", "c", "d", "e")), "a, b, c and 2 more");
});

test("pasted pictures are named by the time, unless they have a name", () => {
  const now = new Date("2026-05-04T03:02:01.999Z");
  assert.equal(pastedName("image.png", 0, now), "pasted 2026-05-04 03.02.01.png");
  assert.equal(pastedName("image.jpeg", 2, now), "pasted 2026-05-04 03.02.01 3.jpeg");
  assert.equal(pastedName("miko.png", 0, now), "miko.png");
});
