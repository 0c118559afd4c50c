import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, freePath, packShares, packZip } from "../../static/js/lib/zip.js";

const bytesOf = (text) => new TextEncoder().encode(text);
const sized = (path, size) => ({ path, file: { size } });
const quietly = { signal: new AbortController().signal, onFile() {} };
const pathsOf = (shares) => shares.map((share) => share.map(({ path }) => path));

test("sums are CRC-32, also in parts", () => {
  assert.equal(crc32(bytesOf("")), 0);
  assert.equal(crc32(bytesOf("123456789")), 0xcbf43926);
  assert.equal(crc32(bytesOf("6789"), crc32(bytesOf("12345"))), 0xcbf43926);
});

test("shares are sorted and below the limit, a larger file is alone", () => {
  const entries = [sized("c", 500), sized("a", 500), sized("b", 5000), sized("d", 500)];
  assert.deepEqual(pathsOf(packShares(entries, 1500)), [["a"], ["b"], ["c", "d"]]);
  assert.deepEqual(pathsOf(packShares(entries, 1e9)), [["a", "b", "c", "d"]]);
  assert.deepEqual(packShares([], 1500), []);
});

test("a share's zip is not larger than the limit", async () => {
  const entries = Array.from({ length: 20 }, (_, index) => {
    const path = `絵${index}.png`;
    return { path, file: new File(["x".repeat(100)], path) };
  });
  const limit = 1500;
  for (const share of packShares(entries, limit)) {
    const zip = await packZip(share, "a.zip", quietly);
    assert.ok(zip.size <= limit, `${zip.size} bytes`);
  }
});

test("plain zips hold less than 65,536 files", () => {
  const entries = Array.from({ length: 60001 }, (_, index) => sized(String(index), 0));
  assert.deepEqual(
    packShares(entries, 1e9).map((share) => share.length),
    [60000, 1],
  );
});

test("a name that is taken, but for case, gets a number before its ending", () => {
  assert.equal(freePath("a.png", new Set()), "a.png");
  assert.equal(freePath("d.e/A.png", new Set(["d.e/a.png"])), "d.e/A (2).png");
  assert.equal(freePath("a", new Set(["a", "a (2)"])), "a (3)");
});

test("a zip names its files, their places and sums", async () => {
  const entries = [
    { path: "a 絵.png", file: new File(["123456789"], "a") },
    { path: "b.txt", file: new File([], "b") },
  ];
  const calls = [];
  const zip = await packZip(entries, "two.zip", {
    ...quietly,
    onFile: (...args) => calls.push(args),
  });
  const bytes = await zip.arrayBuffer();
  const view = new DataView(bytes);
  const label = bytesOf("a 絵.png");
  const secondAt = 30 + label.length + 9;
  const end = bytes.byteLength - 22;
  const directoryAt = view.getUint32(end + 16, true);
  assert.equal(zip.name, "two.zip");
  assert.deepEqual(calls, [
    [0, 2],
    [1, 2],
  ]);
  assert.equal(view.getUint32(0, true), 0x04034b50);
  assert.equal(view.getUint32(14, true), 0xcbf43926);
  assert.equal(view.getUint32(secondAt, true), 0x04034b50);
  assert.equal(view.getUint32(end, true), 0x06054b50);
  assert.equal(view.getUint16(end + 8, true), 2);
  assert.equal(directoryAt, secondAt + 30 + "b.txt".length);
  assert.equal(view.getUint32(end + 12, true), end - directoryAt);
  assert.equal(view.getUint32(directoryAt, true), 0x02014b50);
  assert.equal(view.getUint32(directoryAt + 46 + label.length + 42, true), secondAt);
});

test("the same files make the same zip, others one with another date", async () => {
  const pack = (text) => packZip([{ path: "a", file: new File([text], "a") }], "a.zip", quietly);
  const [first, same, other] = await Promise.all(["x", "x", "y"].map(pack));
  assert.deepEqual(await first.bytes(), await same.bytes());
  assert.equal(first.lastModified, same.lastModified);
  assert.notEqual(first.lastModified, other.lastModified);
});

test("a file that cannot be read is named, a stop stays a stop", async () => {
  const broken = {
    size: 1,
    stream: () =>
      new ReadableStream({
        pull() {
          throw new Error("gone");
        },
      }),
  };
  await assert.rejects(packZip([{ path: "a.png", file: broken }], "a.zip", quietly), {
    message: "a.png cannot be read; is it still there?",
  });
  const stopped = { ...quietly, signal: AbortSignal.abort() };
  const entries = [{ path: "a", file: new File(["x"], "a") }];
  await assert.rejects(packZip(entries, "a.zip", stopped), { name: "AbortError" });
});
