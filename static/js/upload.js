// Films, pictures and folders that are chosen, dropped or pasted: several pictures, and the
// pictures of a folder, go as one zip; then one file after the other is sent.
import { groupName, listedNames, pastedName, pictureTest, sortChosen } from "./lib/chosen_files.js";
import { count, fileSize } from "./lib/numbers.js";
import { packShares, packZip } from "./lib/zip.js";
import { showToast } from "./toasts.js";
import { UploadQueue } from "./upload_queue.js";
import { UploadRow } from "./upload_row.js";

const TEXT_ENTRIES = "input:not([type=file], [type=checkbox]), textarea, [contenteditable]";
const form = document.getElementById("upload");

function listen() {
  const queue = new UploadQueue(form);
  const isPicture = pictureTest(form.dataset.pictures);
  const maxBytes = Number(form.dataset.max);
  const template = form.querySelector("template");
  const list = form.querySelector("[data-list]");

  function addRow(name, onRetry) {
    return new UploadRow(name, { template, list, onRetry });
  }

  // `file`: a File, or {name, size, pack(row)}, see UploadQueue.
  function add(file) {
    const upload = { file };
    upload.row = addRow(file.name, () => {
      queue.add(upload);
      queue.run();
    });
    if (file.size <= maxBytes) {
      queue.add(upload);
      return;
    }
    upload.row.say(`larger than the limit of ${fileSize(maxBytes)}`, "bad");
    upload.row.end({ canRetry: false });
  }

  // Pictures with what lies beside them, as one zip, or several where one would be too large.
  function addGroup(group) {
    const [first] = group.entries;
    if (!group.folder && group.entries.length === 1 && isPicture(first.path)) {
      add(first.file);
      return;
    }
    const name = groupName(group, isPicture);
    const shares = packShares(group.entries, maxBytes);
    for (const [index, share] of shares.entries()) {
      const part = shares.length > 1 ? ` (${index + 1} of ${shares.length})` : "";
      const zipName = `${name}${part}.zip`;
      add({
        name: zipName,
        size: share.reduce((total, { file }) => total + file.size, 0),
        pack: (row) =>
          packZip(share, zipName, {
            signal: row.abort.signal,
            onFile: (done, total) =>
              row.say(`reading picture ${count(done + 1)} of ${count(total)}`),
          }),
      });
    }
  }

  function leaveOut(entries, total, why) {
    if (!entries.length) return;
    const row = addRow(listedNames(entries));
    row.say(total > entries.length ? `left out: ${why}` : `${why}; nothing was sent`, "warn");
    row.end({ canRetry: false });
  }

  // entries: [{path, file}], see sortChosen.
  function take(entries) {
    const { films, groups, others, hidden, leftovers } = sortChosen(entries, isPicture);
    for (const { file } of films) add(file);
    for (const group of groups) addGroup(group);
    leaveOut(others, entries.length, "not a film, picture or zip by its name");
    leaveOut(hidden, entries.length, "hidden, since its name begins with a dot; rename it");
    if (leftovers === entries.length) {
      const text = "No films, pictures or zips found. Choose some, or a folder with some.";
      showToast({ error: true, text });
    }
    queue.run();
  }

  function takeFiles(files) {
    take([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
  }

  async function takeDropped({ files, items }) {
    const dropped = [...files]; // the drop's lists are empty after the first wait
    const roots = [...items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    if (!roots.some((root) => root.isDirectory)) {
      if (dropped.length) takeFiles(dropped);
      return;
    }
    try {
      take(await filesBelow(roots));
    } catch {
      const text = "The folder cannot be read. Choose it with “Choose a folder”.";
      showToast({ error: true, text });
    }
  }

  function takePasted(event) {
    const files = [...(event.clipboardData?.files || [])];
    const isText =
      event.target.closest?.(TEXT_ENTRIES) || event.clipboardData?.types.includes("text/plain");
    if (!files.length || isText) return;
    event.preventDefault();
    const now = new Date();
    take(
      files.map((file, index) => {
        const path = pastedName(file.name, index, now);
        const { type, lastModified } = file;
        return {
          path,
          file: path === file.name ? file : new File([file], path, { type, lastModified }),
        };
      }),
    );
  }

  for (const field of form.querySelectorAll("input[type=file]")) {
    field.addEventListener("change", () => {
      takeFiles(field.files);
      field.value = "";
    });
  }
  const [filesField] = form.querySelectorAll("input[type=file]");
  if ("webkitdirectory" in filesField) form.querySelector("[data-folder]").hidden = false;
  listenForDrops(takeDropped);
  addEventListener("paste", takePasted);
  addEventListener("beforeunload", (event) => {
    if (queue.isBusy) event.preventDefault();
  });
}

// All files below folders that were dropped, as {path, file}.
async function filesBelow(roots) {
  const found = [];
  const visit = async (entry) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ path: entry.fullPath.replace(/^\//, ""), file });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!batch.length) return;
      for (const child of batch) await visit(child);
    }
  };
  for (const root of roots) await visit(root);
  return found;
}

// Files may be dropped anywhere on the page.
function listenForDrops(onDrop) {
  let depth = 0; // of elements that the drag has entered and not left
  const mark = () => form.classList.toggle("over", depth > 0);
  addEventListener("dragenter", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    depth += 1;
    mark();
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    mark();
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    mark();
    onDrop(event.dataTransfer);
  });
}

if (form) listen();
