import assert from "node:assert/strict";
import { test } from "node:test";
import { progressText, Refusal, sendChunks, untilConnected } from "../../static/js/lib/transfer.js";

// Throws each of these errors once, then returns "done".
function failing(...errors) {
  return async () => {
    if (errors.length) throw errors.shift();
    return "done";
  };
}

// A server that has the first `received` bytes and refuses chunks for another place.
function serverWith(received) {
  const server = {
    received,
    offsets: [],
    async put(offset, chunk) {
      server.offsets.push(offset);
      if (offset !== server.received) throw new Refusal("not here", server.received);
      server.received += chunk.size;
      return server.received;
    },
  };
  return server;
}

test("a lost connection is tried again after longer and longer waits", async () => {
  const waits = [];
  const errors = Array.from({ length: 8 }, () => new TypeError("network"));
  const result = await untilConnected(failing(...errors), async (ms) => waits.push(ms));
  assert.equal(result, "done");
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
});

test("a refusal and a stop are final", async () => {
  const never = () => assert.fail("waited");
  await assert.rejects(untilConnected(failing(new Refusal("too large")), never), /too large/);
  const stop = new DOMException("stopped", "AbortError");
  await assert.rejects(untilConnected(failing(stop), never), { name: "AbortError" });
});

test("whoever stops while it waits ends it", async () => {
  const stop = new DOMException("stopped", "AbortError");
  const wait = async () => {
    throw stop;
  };
  await assert.rejects(untilConnected(failing(new TypeError("network")), wait), {
    name: "AbortError",
  });
});

test("a file is sent in chunks from where the server is", async () => {
  const server = serverWith(2);
  const progress = [];
  await sendChunks(new Blob(["0123456789"]), {
    received: 2,
    chunkBytes: 3,
    put: server.put,
    onProgress: (sent) => progress.push(sent),
  });
  assert.deepEqual(server.offsets, [2, 5, 8]);
  assert.deepEqual(progress, [2, 5, 8, 10]);
});

test("where the server has more or less than the page believes, sending goes on from there", async () => {
  const server = serverWith(6);
  const options = { received: 3, chunkBytes: 3, put: server.put, onProgress() {} };
  await sendChunks(new Blob(["0123456789"]), options);
  assert.deepEqual(server.offsets, [3, 6, 9]);
});

test("a refusal that names no bytes ends it", async () => {
  const put = async () => {
    throw new Refusal("no room");
  };
  const options = { received: 0, chunkBytes: 3, put, onProgress() {} };
  await assert.rejects(sendChunks(new Blob(["0123"]), options), /no room/);
});

test("nothing is sent of a file that is there", async () => {
  const server = serverWith(4);
  const options = { received: 4, chunkBytes: 3, put: server.put, onProgress() {} };
  await sendChunks(new Blob(["0123"]), options);
  assert.deepEqual(server.offsets, []);
});

test("progress has a rate after a second, of this time's bytes only", () => {
  const size = 100e6;
  assert.equal(progressText({ sent: 0, size, from: 0, seconds: 0 }), "0 B of 100.0 MB");
  assert.equal(
    progressText({ sent: 20e6, size, from: 0, seconds: 2 }),
    "20.0 MB of 100.0 MB · 10.0 MB/s · 8 s left",
  );
  assert.equal(
    progressText({ sent: 60e6, size, from: 40e6, seconds: 2 }),
    "60.0 MB of 100.0 MB · 10.0 MB/s · 4 s left · resumed",
  );
});
