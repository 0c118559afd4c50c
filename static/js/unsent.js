// Submissions whose response never came are kept in this browser, for this person, and offered to
// be sent again.
import { keysWith, SENT, UNSENT, user } from "./browser_store.js";
import { forgetSent } from "./drafts.js";
import { expectAgain, hasAnswer } from "./forms.js";
import { readJson, writeJson } from "./lib/json_storage.js";
import { showToast } from "./toasts.js";

const TECHNICAL_FIELDS = ["key", "seen", "version", "page"];
const MAX_SHOWN_LETTERS = 60;
const JUST_SENT = `${SENT}.count`;
const underway = new Set(); // keys of entries that this page is sending

// Oldest first: {key, path, act, fields, at}. `act` is the submission's fingerprint, `fields` pairs
// of name and value.
function unsent() {
  return keysWith(UNSENT)
    .filter((key) => !underway.has(key))
    .map((key) => ({ key, ...readJson(localStorage, key) }))
    .toSorted((first, second) => first.at - second.at);
}

function write({ path, mark, formData }) {
  const fields = [...formData].filter(
    ([name, value]) => name !== "csrfmiddlewaretoken" && typeof value === "string",
  );
  const entry = { path, act: mark, fields, at: Date.now() };
  writeJson(localStorage, UNSENT + formData.get("key"), entry);
}

// An answer that waits for its turn: it outlives this page, and is offered if it is never sent.
export function keepWhileUnderway(submission) {
  if (!user) return;
  underway.add(UNSENT + submission.formData.get("key"));
  write(submission);
}

function keepUnanswered({ detail }) {
  const { komaFingerprint, formData, path } = detail.requestConfig;
  if (!komaFingerprint) return;
  const key = UNSENT + formData.get("key");
  underway.delete(key);
  if (hasAnswer(detail.xhr)) localStorage.removeItem(key);
  else write({ path, mark: komaFingerprint, formData });
  draw();
}

function describe({ fields }) {
  return fields
    .filter(([name]) => !TECHNICAL_FIELDS.includes(name))
    .map(([name, value]) => `${name}: ${value.slice(0, MAX_SHOWN_LETTERS)}`)
    .join(", ");
}

function draw() {
  const list = unsent();
  const bar = document.getElementById("unsent");
  bar.hidden = !list.length;
  bar.querySelector("span").textContent =
    list.length === 1
      ? "1 answer could not be sent. It is kept in this browser."
      : `${list.length} answers could not be sent. They are kept in this browser.`;
  bar.title = list.map(describe).join("\n");
}

function showError(text) {
  showToast({ error: true, text });
}

function post({ path, fields }) {
  const body = new FormData();
  for (const [name, value] of fields) body.append(name, value);
  const token = JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
  const headers = {
    "X-CSRFToken": token,
    "HX-Request": "true",
    "HX-Current-URL": location.href,
  };
  return fetch(path, { method: "POST", body, headers });
}

// Both answers to one question, of which a person chooses.
export function showBoth(html) {
  const dialog = document.getElementById("both");
  htmx.swap(dialog, html, { swapStyle: "innerHTML" });
  if (!dialog.open) dialog.showModal();
}

async function showRefusal(response, toast) {
  if (response.headers.get("HX-Retarget") === "#both") {
    showBoth(await response.text());
  } else {
    showError(toast?.text || `Server error ${response.status}; this answer was refused.`);
  }
}

// Send one again: "sent", "refused" (by the server, for good), "kept" (nobody answered) or "login"
// (the page is left).
async function sendOne(submission) {
  let response;
  try {
    response = await post(submission);
  } catch {
    showError("The server cannot be reached; what was not sent is kept.");
    return "kept";
  }
  const redirect = response.headers.get("HX-Redirect") || "";
  if (redirect.startsWith("/login/")) {
    location.assign(redirect);
    return "login";
  }
  const { toast } = JSON.parse(response.headers.get("HX-Trigger") || "{}");
  if (response.status >= 500) {
    showError(toast?.text || `The server answered ${response.status}; what was not sent is kept.`);
    return "kept";
  }
  localStorage.removeItem(submission.key);
  if (response.ok) {
    forgetSent(submission.path, submission.fields);
    return "sent";
  }
  await showRefusal(response, toast);
  return "refused";
}

// One after the other, until one is not done: what follows may rest on it.
async function sendAll() {
  let sent = 0;
  let outcome = "sent";
  for (const submission of unsent()) {
    outcome = await sendOne(submission);
    if (outcome !== "sent") break;
    sent += 1;
  }
  if (outcome === "login") return;
  draw();
  // A refusal shows its dialog or words on this page.
  if (sent && outcome !== "refused") {
    writeJson(sessionStorage, JUST_SENT, sent);
    location.reload();
  }
}

if (user) {
  document.addEventListener("htmx:afterRequest", keepUnanswered);
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-send-again]")) sendAll();
    if (event.target.closest("[data-discard-unsent]")) {
      for (const { key } of unsent()) localStorage.removeItem(key);
      draw();
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    expectAgain(unsent().map(({ act, key }) => [act, key.slice(UNSENT.length)]));
    draw();
    const sent = readJson(sessionStorage, JUST_SENT);
    sessionStorage.removeItem(JUST_SENT);
    if (sent) showToast({ text: sent === 1 ? "1 answer sent." : `${sent} answers sent.` });
  });
}
