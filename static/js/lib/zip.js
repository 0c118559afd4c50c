// Packs files into one zip without copying them: the zip is a Blob of headers and the files
// themselves. The same files make the same bytes (sorted, without dates), so an upload resumes
// where it stopped and a second one is recognised.

const MAX_FILES = 60000; // plain zips end at 65,535 files and 4 GiB; more becomes several groups
const MAX_BYTES = 3.5e9;
const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_HEADER = 0x02014b50;
const DIRECTORY_END = 0x06054b50;
const END_BYTES = 22;
const VERSION = 20;
const UTF8_NAMES = 0x800;
const FIRST_OF_1980 = 0x21;

const CRC_TABLE = new Uint32Array(256).map((_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) {
    value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return value;
});

// CRC-32 of bytes, continued from the sum of those before.
export function crc32(bytes, from = 0) {
  let sum = ~from;
  for (const byte of bytes) sum = CRC_TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}

async function checksum(file, signal) {
  let sum = 0;
  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) return sum;
    sum = crc32(value, sum);
  }
}

// Bytes of a record: pairs of [value, size in bytes], little end first.
function record(...fields) {
  const bytes = [];
  for (const [value, size] of fields) {
    for (let place = 0; place < size; place += 1) {
      bytes.push(Math.floor(value / 2 ** (8 * place)) & 255);
    }
  }
  return new Uint8Array(bytes);
}

// Bytes around a file: two headers of 30 and 46, the name in both; 4 bytes a letter at most, and
// room for " (2)".
const overhead = (path) => 76 + 2 * (4 * path.length + 24);

function byPath(first, second) {
  if (first.path === second.path) return 0;
  return first.path < second.path ? -1 : 1;
}

// Lists of {path, file} that fit into one zip each, of at most `maxBytes`; a single file may be
// larger.
export function packShares(entries, maxBytes) {
  const limit = Math.min(MAX_BYTES, maxBytes) - END_BYTES;
  const shares = [];
  let bytes = Infinity;
  for (const entry of entries.toSorted(byPath)) {
    const added = entry.file.size + overhead(entry.path);
    if (bytes + added > limit || shares.at(-1).length >= MAX_FILES) {
      shares.push([]);
      bytes = 0;
    }
    shares.at(-1).push(entry);
    bytes += added;
  }
  return shares;
}

// The path, or the first of "a (2).png", "a (3).png" ... that is not taken. `taken` holds paths in
// lower case.
export function freePath(path, taken) {
  let free = path;
  for (let number = 2; taken.has(free.toLowerCase()); number += 1) {
    free = path.replace(/(\.[^./]*)?$/, (ending) => ` (${number})${ending}`);
  }
  return free;
}

// A File named `name`. `onFile(index, total)` is called for each file before it is read. Throws
// when a file cannot be read, or on abort.
export async function packZip(entries, name, { signal, onFile }) {
  const parts = [];
  const directory = [];
  const taken = new Set();
  let offset = 0;
  for (const [index, { path, file }] of entries.entries()) {
    onFile(index, entries.length);
    const free = freePath(path, taken);
    taken.add(free.toLowerCase());
    const label = new TextEncoder().encode(free);
    const sum = await checksum(file, signal).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Error(`${free} cannot be read; is it still there?`, { cause: error });
    });
    const shared = [
      [VERSION, 2],
      [UTF8_NAMES, 2],
      [0, 2], // stored as it is
      [0, 2],
      [FIRST_OF_1980, 2],
      [sum, 4],
      [file.size, 4],
      [file.size, 4],
      [label.length, 2],
      [0, 2],
    ];
    const header = record([LOCAL_HEADER, 4], ...shared);
    parts.push(header, label, file);
    directory.push(
      record(
        [DIRECTORY_HEADER, 4],
        [VERSION, 2],
        ...shared,
        [0, 2],
        [0, 2],
        [0, 2],
        [0, 4],
        [offset, 4],
      ),
      label,
    );
    offset += header.length + label.length + file.size;
  }
  const directoryBytes = directory.reduce((total, part) => total + part.length, 0);
  const end = record(
    [DIRECTORY_END, 4],
    [0, 4],
    [entries.length, 2],
    [entries.length, 2],
    [directoryBytes, 4],
    [offset, 4],
    [0, 2],
  );
  return new File([...parts, ...directory, end], name, {
    type: "application/zip",
    // Tells this zip from another of its size.
    lastModified: directory.reduce((sum, part) => crc32(part, sum), 0),
  });
}
