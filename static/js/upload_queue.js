// Sends one file after the other in chunks. The server says how many bytes it has; after a broken
// connection, a closed tab or a restart of the server the upload resumes from there.
import { fileKey } from "./lib/chosen_files.js";
import { progressText, Refusal, sendChunks, untilConnected } from "./lib/transfer.js";

const LOGGED_OUT = "You are logged out. Log in again in another tab, then press Retry.";
const INSUFFICIENT_STORAGE = 507;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const online = () => new Promise((resolve) => addEventListener("online", resolve, { once: true }));

export class UploadQueue {
  #form;
  // {file, row}; `file` is a File, or {name, size, pack(row)} that makes one when its turn comes.
  #waiting = [];
  isBusy = false;

  constructor(form) {
    this.#form = form;
  }

  add(upload) {
    this.#waiting.push(upload);
  }

  async run() {
    if (this.isBusy) return;
    this.isBusy = true;
    while (this.#waiting.length) await this.#sendOrSayWhy(this.#waiting.shift());
    this.isBusy = false;
  }

  async #sendOrSayWhy(upload) {
    const { row } = upload;
    try {
      row.abort.signal.throwIfAborted();
      await this.#send(upload);
      row.end({ canRetry: false });
    } catch (error) {
      if (error.name === "AbortError") row.say("paused, kept for a week", "warn");
      else row.say(error.message, "bad");
      row.end({ canRetry: true });
    }
  }

  async #send(upload) {
    const { row } = upload;
    if (upload.file.pack) upload.file = await upload.file.pack(row);
    const { file } = upload;
    const ask = (address, options) => this.#askUntilConnected(row, address, options);
    const started = await ask(this.#form.dataset.begin, {
      method: "POST",
      body: this.#describe(file),
    });
    const startedAt = performance.now();
    await sendChunks(file, {
      received: started.received,
      chunkBytes: started.chunk,
      put: async (offset, chunk) => {
        const headers = { "Content-Type": "application/octet-stream" };
        const address = `${started.url}?offset=${offset}`;
        return (await ask(address, { method: "PUT", body: chunk, headers })).received;
      },
      onProgress: (sent) => {
        const seconds = (performance.now() - startedAt) / 1000;
        row.showProgress(sent / file.size);
        row.say(progressText({ sent, size: file.size, from: started.received, seconds }));
      },
    });
    row.say("checking the file");
    const added = await ask(started.url, { method: "POST" });
    row.showProgress(1);
    row.say(`added as ${added.label}`, "good");
    document.body.dispatchEvent(new Event("koma:added"));
  }

  // What the form says of all files, and what tells this one.
  #describe(file) {
    const data = new FormData(this.#form);
    data.delete("files");
    data.set("name", file.name);
    data.set("size", file.size);
    data.set("key", fileKey(file));
    return data;
  }

  #askUntilConnected(row, address, options) {
    const { signal } = row.abort;
    const wait = async (delay) => {
      row.say(`no connection, next try in ${delay / 1000} s`);
      await Promise.race([sleep(delay), online(), row.stopped]);
      signal.throwIfAborted();
    };
    return untilConnected(() => this.#ask(address, { ...options, signal }), wait);
  }

  async #ask(address, options) {
    const headers = {
      "X-CSRFToken": this.#form.querySelector("[name=csrfmiddlewaretoken]").value,
      Accept: "application/json",
      ...options.headers,
    };
    const response = await fetch(address, { ...options, headers, redirect: "manual" });
    const { status } = response;
    if (response.type === "opaqueredirect") throw new Refusal(LOGGED_OUT);
    if (status >= 500 && status !== INSUFFICIENT_STORAGE) {
      throw new Error(`the server answered ${status}`);
    }
    const data = await response.json().catch(() => ({}));
    if (response.ok) return data;
    throw new Refusal(data.error || `The server answered ${status}.`, data.received);
  }
}
