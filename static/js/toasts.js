// Toasts: what happened, with Undo. Text is set as text, never as HTML: it may hold names from
// outside.

const FADE_MS = 8000;
const MAX_SHOWN = 3;
const container = () => document.getElementById("toasts");

export function showToast({ text, error = false, undo = false }) {
  if (error) removeError(text); // the same again takes its place
  const toast = document.createElement("div");
  toast.className = error ? "toast error" : "toast";
  if (error) toast.setAttribute("role", "alert");
  const label = document.createElement("span");
  label.textContent = text;
  toast.append(label);
  if (undo) {
    // Undo takes the newest change: an older toast would name one thing and take back another.
    for (const older of container().querySelectorAll("[data-undo]")) older.remove();
    toast.append(createButton("Undo ", "undo", "Ctrl+Z"));
  }
  const close = createButton("✕", "close");
  close.setAttribute("aria-label", "Close");
  toast.append(close);
  while (container().children.length >= MAX_SHOWN) container().firstElementChild.remove();
  container().append(toast);
  if (!error) fade(toast); // errors stay until read
}

function removeError(text) {
  for (const toast of container().querySelectorAll(".toast.error")) {
    if (toast.querySelector("span").textContent === text) toast.remove();
  }
}

function fade(toast) {
  setTimeout(() => toast.remove(), FADE_MS);
}

function createButton(text, name, key) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset[name] = "";
  button.textContent = text;
  if (key) {
    const cap = document.createElement("kbd");
    cap.textContent = key;
    button.append(cap);
  }
  return button;
}

function showResponseError({ detail: { xhr } }) {
  const hasOwnToast = (xhr.getResponseHeader("HX-Trigger") || "").includes("toast");
  if (hasOwnToast) return;
  const text =
    xhr.status === 403
      ? "Your role here does not allow this."
      : `Server error ${xhr.status}; nothing was changed. Reload the page and try again.`;
  showToast({ error: true, text });
}

function showSendError({ detail }) {
  const isKept = detail.requestConfig.komaFingerprint && document.body.dataset.user; // by unsent.js
  const text = isKept
    ? "The server cannot be reached; what was not sent is kept."
    : "The server cannot be reached; nothing was sent. Check the connection and try again.";
  showToast({ error: true, text });
}

// On a page about one thing only changes to that are taken back. A page that updates itself handles
// the event.
function sendUndo() {
  const place = document.querySelector("[data-place]")?.dataset.place || "";
  const asks = new CustomEvent("koma:undo", { cancelable: true, detail: { place } });
  if (!document.dispatchEvent(asks)) return;
  htmx.ajax("POST", document.body.dataset.undoUrl, { swap: "none", values: { place } });
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) event.target.closest(".toast").remove();
  if (event.target.closest("[data-undo]") && document.body.dataset.undoUrl) {
    sendUndo();
  }
});
document.body.addEventListener("toast", (event) => showToast(event.detail));
document.body.addEventListener("htmx:responseError", showResponseError);
document.body.addEventListener("htmx:sendError", showSendError);
for (const toast of document.querySelectorAll("#toasts [data-fades]")) fade(toast);
