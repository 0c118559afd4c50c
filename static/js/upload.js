// Uploads one file after the other in chunks; several pictures, and the pictures of a folder, go as one zip (pack.js). The server says how many bytes it has; after a broken connection, a closed
// tab or a restart of the server the upload goes on from there. Names are set as text, never as HTML.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("upload");
  if (!form) return;
  const input = form.querySelector("input[type=file]");
  const list = form.querySelector("[data-list]");
  const headers = {
    "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
    Accept: "application/json",
  };
  const WAIT_MAX_MS = 30000;
  const PICTURE = new RegExp(`\\.(${form.dataset.pictures})$`, "i"); // endings parted by bars, from the server's table
  const FILM = /\.(mkv|mp4|m4v|webm|avi|ts|m2ts|mts|mov|wmv|flv|mpg|mpeg|ogv|ogm|3gp|zip|cbz)$/i;
  const BESIDE = /\.(tags?|txt|json|toml|caption|cap|processed_tags|characters|subjects)$/i; // tags and captions that lie beside pictures
  const LEFTOVER = /(^|\/)(\.(?![^/]*_meta\.json$)|__MACOSX\/|thumbs\.db$|desktop\.ini$)/i; // waifuc hides .a_meta.json beside a.png
  const MAC_COPY = /(^|\/)(\._|__MACOSX\/)/i; // a Mac's notes on a file, under the file's own name
  const queue = [];
  let busy = false;

  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  // As ingest/humane.py writes sizes: powers of 1000.
  const UNITS = ["B", "kB", "MB", "GB", "TB"];
  const size = (bytes) => {
    let [value, unit] = [bytes, 0];
    while (Number(value.toFixed(unit < 2 ? 0 : 1)) >= 1000 && unit < 4)
      [value, unit] = [value / 1000, unit + 1];
    return `${value.toFixed(unit < 2 ? 0 : 1)} ${UNITS[unit]}`;
  };
  const time = (s) => (s < 90 ? `${Math.ceil(s)} s` : `${Math.round(s / 60)} min`);

  // Name, size and date tell a file; FNV-1a is enough, the server compares the size too.
  function keyOf(file) {
    let hash = 0x811c9dc5;
    for (const char of file.name) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
    return `${file.size}-${file.lastModified}-${hash.toString(16)}`;
  }

  class Refusal extends Error {
    constructor(text, received) {
      super(text);
      this.received = received;
    }
  }

  async function ask(url, options, signal) {
    const answer = await fetch(url, {
      ...options,
      headers: { ...headers, ...(options.headers || {}) },
      signal,
      redirect: "manual",
    });
    if (answer.type === "opaqueredirect")
      throw new Refusal("You are logged out. Log in again in another tab, then press Try again.");
    if (answer.status >= 500 && answer.status !== 507)
      throw new Error(`the server answered ${answer.status}`);
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok)
      throw new Refusal(data.error || `The server answered ${answer.status}.`, data.received);
    return data;
  }

  // Tries again for as long as only the connection fails; a refusal is final.
  async function stubborn(act, entry) {
    for (let wait = 1000; ; wait = Math.min(wait * 2, WAIT_MAX_MS)) {
      try {
        return await act();
      } catch (error) {
        if (error instanceof Refusal || error.name === "AbortError") throw error;
        entry.say(`no connection, next try in ${wait / 1000} s`);
        await Promise.race([
          sleep(wait),
          new Promise((done) => addEventListener("online", done, { once: true })),
          entry.stopped,
        ]);
        entry.abort.signal.throwIfAborted();
      }
    }
  }

  // `file`: what to send, or {name, size, make}: make(entry) gives it when its turn comes.
  function show(file) {
    const node = form.querySelector("template").content.firstElementChild.cloneNode(true);
    const bar = node.querySelector(".bar");
    const entry = { file, node, abort: new AbortController(), url: null };
    node.querySelector("[data-name]").textContent = file.name;
    entry.say = (text, kind = "") => {
      const words = node.querySelector("[data-words]");
      words.textContent = text;
      words.className = `small ${kind || "dim"}`;
    };
    entry.fill = (share) => {
      const percent = Math.floor(100 * share);
      bar.firstElementChild.style.width = `${percent}%`;
      bar.setAttribute("aria-valuenow", percent);
    };
    entry.arm = () => {
      entry.abort = new AbortController();
      entry.stopped = new Promise((done) =>
        entry.abort.signal.addEventListener("abort", done, { once: true }),
      );
    };
    entry.arm();
    const again = node.querySelector("[data-again]");
    const stop = node.querySelector("[data-stop]");
    entry.end = (canRetry) => {
      stop.hidden = true;
      again.hidden = !canRetry;
      bar.hidden = true;
    };
    stop.addEventListener("click", () => entry.abort.abort());
    again.addEventListener("click", () => {
      stop.hidden = false;
      again.hidden = true;
      bar.hidden = false;
      entry.arm();
      queue.push(entry);
      work();
    });
    entry.say("waiting");
    list.append(node);
    return entry;
  }

  function about(file) {
    const data = new FormData(form);
    data.delete("files");
    data.set("name", file.name);
    data.set("size", file.size);
    data.set("key", keyOf(file));
    return data;
  }

  async function send(entry) {
    const signal = () => entry.abort.signal;
    if (entry.file.make) entry.file = await entry.file.make(entry);
    const { file } = entry;
    const begun = await stubborn(
      () => ask(form.dataset.begin, { method: "POST", body: about(file) }, signal()),
      entry,
    );
    let at = begun.received;
    const from = at;
    const started = performance.now();
    const progress = (here) => {
      const seconds = (performance.now() - started) / 1000;
      const rate = (here - from) / Math.max(seconds, 0.001);
      entry.fill(here / file.size);
      entry.say(
        `${size(here)} of ${size(file.size)}${seconds > 1 && rate > 0 ? ` · ${size(rate)}/s · ${time((file.size - here) / rate)} left` : ""}${from ? " · went on" : ""}`,
      );
    };
    progress(at);
    while (at < file.size) {
      at = await stubborn(async () => {
        const chunk = file.slice(at, at + begun.chunk);
        try {
          return (
            await ask(
              `${begun.url}?offset=${at}`,
              {
                method: "PUT",
                body: chunk,
                headers: { "Content-Type": "application/octet-stream" },
              },
              signal(),
            )
          ).received;
        } catch (error) {
          if (error instanceof Refusal && Number.isInteger(error.received)) return error.received; // the server knows better
          throw error;
        }
      }, entry);
      progress(at);
    }
    entry.say("checking the file");
    const done = await stubborn(() => ask(begun.url, { method: "POST" }, signal()), entry);
    entry.fill(1);
    entry.say(`added as ${done.label}`, "good");
    document.body.dispatchEvent(new Event("koma:added"));
  }

  async function work() {
    if (busy) return;
    busy = true;
    while (queue.length) {
      const entry = queue.shift();
      try {
        if (entry.abort.signal.aborted) throw entry.abort.signal.reason;
        await send(entry);
        entry.end(false);
      } catch (error) {
        const stopped = error.name === "AbortError";
        entry.say(
          stopped ? "stopped; what was sent is kept for a week" : error.message,
          stopped ? "warn" : "bad",
        );
        entry.end(true);
      }
    }
    busy = false;
  }

  function add(file) {
    const entry = show(file);
    if (file.size > Number(form.dataset.max)) {
      entry.say(`larger than the limit of ${size(Number(form.dataset.max))}`, "bad");
      entry.end(false);
    } else queue.push(entry);
  }

  // Pictures with what lies beside them, as one group.
  function addGroup(entries, folder) {
    const pictures = entries
      .filter(({ path }) => PICTURE.test(path))
      .sort((a, b) => (a.path < b.path ? -1 : 1));
    if (pictures.length === 1 && entries.length === 1 && !folder) {
      add(pictures[0].file);
      return;
    }
    const first = pictures[0].path.replace(/^.*\//, "").replace(/\.[^.]*$/, "");
    const name =
      folder ||
      (pictures.length === 1
        ? first
        : `${first} and ${(pictures.length - 1).toLocaleString("en")} more`);
    const shares = komaPack.shares(entries, Number(form.dataset.max));
    shares.forEach((share, place) =>
      add({
        name: `${name}${shares.length > 1 ? ` (${place + 1} of ${shares.length})` : ""}.zip`,
        size: share.reduce((so, { file }) => so + file.size, 0),
        make(entry) {
          return komaPack.zip(share, this.name, {
            signal: entry.abort.signal,
            tell: (done, total) =>
              entry.say(
                `reading picture ${(done + 1).toLocaleString("en")} of ${total.toLocaleString("en")}`,
              ),
          });
        },
      }),
    );
  }

  // entries: [{path, file}]; a path with a slash comes from a folder, whose name is its first part.
  function take(entries) {
    const groups = new Map();
    const others = [];
    const hidden = [];
    let leftovers = 0;
    for (const entry of entries) {
      if (LEFTOVER.test(entry.path)) {
        if (!MAC_COPY.test(entry.path) && (FILM.test(entry.path) || PICTURE.test(entry.path)))
          hidden.push(entry);
        else leftovers += 1;
        continue;
      }
      if (FILM.test(entry.path)) {
        add(entry.file);
        continue;
      }
      if (!PICTURE.test(entry.path) && !BESIDE.test(entry.path)) {
        others.push(entry);
        continue;
      }
      const slash = entry.path.indexOf("/");
      const folder = slash < 0 ? "" : entry.path.slice(0, slash);
      if (!groups.has(folder)) groups.set(folder, []);
      groups.get(folder).push({ path: entry.path.slice(slash + 1), file: entry.file });
    }
    for (const [folder, group] of groups) {
      if (group.some(({ path }) => PICTURE.test(path))) addGroup(group, folder);
      else others.push(...group);
    }
    if (others.length) leaveOut(others, entries.length, "no film, picture or zip by its name");
    if (hidden.length)
      leaveOut(hidden, entries.length, "hidden, its name begins with a dot: give it another name");
    if (leftovers === entries.length)
      window.komaToast({
        error: true,
        text: "Nothing is in there. Choose films, pictures, zips or a folder with some.",
      });
    work();
  }

  function leaveOut(some, total, why) {
    const entry = show({
      name:
        some
          .slice(0, 3)
          .map(({ path }) => path)
          .join(", ") +
        (some.length > 3 ? ` and ${(some.length - 3).toLocaleString("en")} more` : ""),
      size: 0,
    });
    entry.say(total > some.length ? `left out: ${why}` : `${why}; nothing was sent`, "warn");
    entry.end(false);
  }

  const plain = (files) =>
    [...files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

  // Folders that were dropped, with all below them; asked for at once, since the drop's list is empty afterwards.
  async function walked(items) {
    const roots = [...items]
      .map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry())
      .filter(Boolean);
    const found = [];
    const visit = async (node) => {
      if (node.isFile) {
        found.push({
          path: node.fullPath.replace(/^\//, ""),
          file: await new Promise((done, fail) => node.file(done, fail)),
        });
        return;
      }
      const reader = node.createReader();
      for (;;) {
        const some = await new Promise((done, fail) => reader.readEntries(done, fail));
        if (!some.length) return;
        for (const child of some) await visit(child);
      }
    };
    for (const root of roots) await visit(root);
    return found;
  }

  for (const field of form.querySelectorAll("input[type=file]"))
    field.addEventListener("change", () => {
      take(plain(field.files));
      field.value = "";
    });
  const folder = form.querySelector("[data-folder]");
  if ("webkitdirectory" in input) folder.hidden = false;
  let depth = 0;
  const over = (on) => form.classList.toggle("over", on);
  addEventListener("dragenter", (event) => {
    if ([...event.dataTransfer.types].includes("Files")) {
      depth += 1;
      over(true);
    }
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    over(depth > 0);
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    over(false);
    drop(event.dataTransfer);
  });
  async function drop(data) {
    const files = [...data.files];
    if (
      ![...data.items].some((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()?.isDirectory)
    ) {
      if (files.length) take(plain(files));
      return;
    }
    try {
      take(await walked(data.items));
    } catch {
      window.komaToast({
        error: true,
        text: "The folder cannot be read. Choose it with “Choose a folder”.",
      });
    }
  }
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files || [])];
    if (
      !files.length ||
      event.target.closest?.(
        "input:not([type=file], [type=checkbox]), textarea, [contenteditable]",
      ) ||
      event.clipboardData.types.includes("text/plain")
    )
      return; // text is meant
    event.preventDefault();
    const stamp = new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".");
    // Browsers call every pasted picture image.png.
    take(
      files.map((file, n) => {
        const name = /^image\.\w+$/.test(file.name)
          ? `pasted ${stamp}${n ? ` ${n + 1}` : ""}.${file.name.split(".").pop()}`
          : file.name;
        return {
          path: name,
          file: new File([file], name, { type: file.type, lastModified: file.lastModified }),
        };
      }),
    );
  });
  addEventListener("beforeunload", (event) => {
    if (busy) event.preventDefault();
  });
});
