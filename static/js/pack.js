// Packs chosen pictures into one zip without copying them: the zip is a Blob of headers and the files themselves. The
// same pictures make the same bytes (sorted, without dates), so an upload goes on where it stopped and a second one is known.
"use strict";
window.komaPack = (() => {
  const FILES_MAX = 60000; // plain zips end at 65,535 files and 4 GiB; more becomes several groups
  const BYTES_MAX = 3.5e9;
  const TABLE = new Uint32Array(256).map((_, n) => {
    for (let k = 0; k < 8; k += 1) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
    return n;
  });
  const crc = (bytes, from) => {
    let c = ~from;
    for (let i = 0; i < bytes.length; i += 1) c = TABLE[(c ^ bytes[i]) & 255] ^ (c >>> 8);
    return ~c >>> 0;
  };

  async function checksum(file, signal) {
    let sum = 0;
    const reader = file.stream().getReader();
    for (;;) {
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return sum;
      sum = crc(value, sum);
    }
  }

  // Bytes of a record: pairs of [value, size in bytes], little end first.
  function record(...fields) {
    const bytes = [];
    for (const [value, size] of fields)
      for (let k = 0; k < size; k += 1) bytes.push(Math.floor(value / 2 ** (8 * k)) & 255);
    return new Uint8Array(bytes);
  }

  // Bytes of a zip around a file: two headers of 30 and 46, the name in both; 4 bytes a letter at most, and room for " (2)".
  const around = (path) => 76 + 2 * (4 * path.length + 24);

  // Lists of {path, file} that fit into one zip each, of at most `most` bytes; a single file may be larger.
  function shares(entries, most) {
    const limit = Math.min(BYTES_MAX, most) - 22; // the end record
    const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
    const found = [];
    let bytes = Infinity;
    for (const entry of sorted) {
      const last = found[found.length - 1];
      const more = entry.file.size + around(entry.path);
      if (bytes + more > limit || last.length >= FILES_MAX) {
        found.push([entry]);
        bytes = more;
      } else {
        last.push(entry);
        bytes += more;
      }
    }
    return found;
  }

  // A File named `name`; `tell(done, total)` is called for each picture read. Throws when a file cannot be read or on abort.
  async function zip(entries, name, { signal, tell }) {
    const parts = [];
    const directory = [];
    const taken = new Set();
    let at = 0;
    let total = 0;
    for (const [place, { path, file }] of entries.entries()) {
      tell(place, entries.length);
      let free = path;
      for (let n = 2; taken.has(free.toLowerCase()); n += 1)
        free = path.replace(/(\.[^./]*)?$/, (ending) => ` (${n})${ending}`);
      taken.add(free.toLowerCase());
      const label = new TextEncoder().encode(free);
      const sum = await checksum(file, signal).catch((error) => {
        if (error.name === "AbortError") throw error;
        throw new Error(`${free} cannot be read; is it still there?`);
      });
      const common = [
        [20, 2],
        [0x800, 2],
        [0, 2],
        [0, 2],
        [0x21, 2],
        [sum, 4],
        [file.size, 4],
        [file.size, 4],
        [label.length, 2],
        [0, 2],
      ];
      const head = record([0x04034b50, 4], ...common);
      parts.push(head, label, file);
      directory.push(
        record([0x02014b50, 4], [20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]),
        label,
      );
      at += head.length + label.length + file.size;
    }
    for (const part of directory) total += part.length;
    const end = record(
      [0x06054b50, 4],
      [0, 4],
      [entries.length, 2],
      [entries.length, 2],
      [total, 4],
      [at, 4],
      [0, 2],
    );
    const sum = directory.reduce((so, part) => crc(part, so), 0);
    return new File([...parts, ...directory, end], name, {
      type: "application/zip",
      lastModified: sum,
    }); // tells it from another of its size
  }

  return { shares, zip };
})();
