// Each submission is sent once: a form in flight is not sent again, a new submission gets a fresh
// key, and one whose response never came keeps its key, so that the server recognises it when it
// comes again.
import { fingerprint, isAnswered, newKey } from "./lib/submissions.js";

const DOUBLE_CLICK_MS = 3000;
const SLOW_MS = 1000;
const inFlight = new Set();
const unanswered = new Map(); // fingerprint -> key

// Submissions of earlier pages that were never answered: pairs of fingerprint and key.
export function expectAgain(submissions) {
  for (const [mark, key] of submissions) unanswered.set(mark, key);
}

// The key under which the submission with this fingerprint is sent, now and until it is answered.
export function keyFor(mark) {
  if (!unanswered.has(mark)) unanswered.set(mark, newKey());
  return unanswered.get(mark);
}

export function hasAnswer(xhr) {
  return isAnswered({ status: xhr.status, redirect: xhr.getResponseHeader("HX-Redirect") });
}

document.addEventListener("htmx:configRequest", (event) => {
  const { verb, path, formData } = event.detail;
  if (verb !== "post" || !formData.has("key")) return;
  const mark = fingerprint(path, formData);
  if (inFlight.has(mark)) {
    event.preventDefault();
    return;
  }
  formData.set("key", unanswered.get(mark) || newKey());
  event.detail.komaFingerprint = mark;
});
document.addEventListener("htmx:beforeSend", ({ detail }) => {
  const { komaFingerprint } = detail.requestConfig;
  if (komaFingerprint) inFlight.add(komaFingerprint);
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const { komaFingerprint, formData } = detail.requestConfig;
  if (!komaFingerprint) return;
  inFlight.delete(komaFingerprint);
  if (hasAnswer(detail.xhr)) unanswered.delete(komaFingerprint);
  else unanswered.set(komaFingerprint, formData.get("key"));
});

// Plain forms: the page is left, so the first one sent is on its way until the page is shown again.
let sent = new Map(); // fingerprint -> {at, key}
let resetBusy = () => {};
window.addEventListener("pageshow", () => {
  sent = new Map();
  resetBusy();
});

// What takes longer than a second says so on its button.
function tellWhenSlow(button) {
  resetBusy();
  if (!button?.dataset.busy) return;
  const label = [...button.childNodes];
  const timer = setTimeout(() => {
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
  }, SLOW_MS);
  resetBusy = () => {
    clearTimeout(timer);
    button.removeAttribute("aria-busy");
    button.replaceChildren(...label);
    resetBusy = () => {};
  };
}
document.addEventListener("submit", (event) => {
  const form = event.target;
  const isOurs =
    form.method === "post" && !form.hasAttribute("hx-post") && Boolean(form.elements.key);
  if (event.defaultPrevented || !isOurs) return;
  const mark = fingerprint(form.action, new FormData(form, event.submitter));
  const before = sent.get(mark);
  if (before && Date.now() - before.at < DOUBLE_CLICK_MS) {
    event.preventDefault();
    return;
  }
  if (!form.matches("[data-same-key]")) {
    form.elements.key.value = before ? before.key : newKey();
  }
  sent.set(mark, { at: Date.now(), key: form.elements.key.value });
  tellWhenSlow(event.submitter);
});

// Somebody changed the same meanwhile: both versions come as a dialog, though the status is an
// error's.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  if (detail.xhr.status === 409 && detail.target.id === "both") detail.shouldSwap = true;
});
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target?.id === "both" && !detail.target.open) detail.target.showModal();
});

// A form that one fills in again and again: the focus is back in its field after the answer has drawn
// it anew.
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const { refocus } = detail.requestConfig?.elt.closest("form")?.dataset ?? {};
  if (refocus) document.getElementById(refocus)?.focus({ preventScroll: true });
});
