// Sending one file in chunks: how long to wait, what to say, how to go on.
import { duration, fileSize } from "./numbers.js";

const FIRST_WAIT_MS = 1000;
const MAX_WAIT_MS = 30000;

// The server refused: final, unless it says how many bytes it has.
export class Refusal extends Error {
  constructor(text, received) {
    super(text);
    this.received = received;
  }
}

// Tries again for as long as only the connection fails; a refusal or an abort is final. `wait(ms)`
// sleeps, and throws when the person stopped the upload.
export async function untilConnected(request, wait) {
  for (let delay = FIRST_WAIT_MS; ; delay = Math.min(delay * 2, MAX_WAIT_MS)) {
    try {
      return await request();
    } catch (error) {
      if (error instanceof Refusal || error.name === "AbortError") throw error;
      await wait(delay);
    }
  }
}

// Sends all chunks from `received` on. `put(offset, chunk)` returns how many bytes the server has
// then; where a refusal says how many those are, sending goes on from there.
export async function sendChunks(file, { received, chunkBytes, put, onProgress }) {
  let offset = received;
  onProgress(offset);
  while (offset < file.size) {
    try {
      offset = await put(offset, file.slice(offset, offset + chunkBytes));
    } catch (error) {
      if (!(error instanceof Refusal) || !Number.isInteger(error.received)) throw error;
      offset = error.received; // the server knows better
    }
    onProgress(offset);
  }
}

// "30.0 MB of 1.0 GB · 12.0 MB/s · 80 s left · resumed". `from`: bytes that were there before,
// `seconds` since the start.
export function progressText({ sent, size, from, seconds }) {
  const rate = (sent - from) / Math.max(seconds, 0.001);
  const parts = [`${fileSize(sent)} of ${fileSize(size)}`];
  if (seconds > 1 && rate > 0) {
    parts.push(`${fileSize(rate)}/s`, `${duration((size - sent) / rate)} left`);
  }
  if (from) parts.push("resumed");
  return parts.join(" · ");
}
