// Answers that are sent in the background, one after the other, while the page goes on. Each is kept
// in this browser from the moment it is given.
import { forgetSent } from "./drafts.js";
import { hasAnswer, keyFor } from "./forms.js";
import { fingerprint } from "./lib/submissions.js";
import { createTurns } from "./lib/turns.js";
import { keepWhileUnderway } from "./unsent.js";

const NOT_SENT = "Not sent: the server did not answer. It is kept in this browser.";
export const inTurn = createTurns();

function valuesOf(formData) {
  const names = new Set(formData.keys());
  return Object.fromEntries([...names].map((name) => [name, formData.getAll(name)]));
}

function reasonOf(xhr) {
  if (!hasAnswer(xhr)) return NOT_SENT;
  const triggers = JSON.parse(xhr.getResponseHeader("HX-Trigger") || "{}");
  return triggers.toast?.text || `Refused by the server (${xhr.status}).`;
}

// Send `formData` to `path`; what comes back takes the place of `target()`, where that is given. Promises
// {isDone, reason, both}: why it was refused or not sent, and the HTML of both answers where somebody
// else gave another one.
export function sendAnswer(path, formData, { target = () => null } = {}) {
  const mark = fingerprint(path, formData);
  formData.set("key", keyFor(mark));
  keepWhileUnderway({ path, mark, formData });
  return inTurn(() => send(path, formData, { mark, target: target() }));
}

async function send(path, formData, { mark, target }) {
  let outcome = { isDone: true, reason: "" }; // where it is on its way already
  const isThis = ({ detail }) => detail.requestConfig.komaFingerprint === mark;
  const takeBoth = (event) => {
    if (!isThis(event) || event.detail.xhr.status !== 409) return;
    outcome.both = event.detail.xhr.response; // shown when one asks for it: another row has the focus
    event.preventDefault();
  };
  const end = (event) => {
    if (!isThis(event)) return;
    const { xhr } = event.detail;
    const isDone = hasAnswer(xhr) && xhr.status < 300;
    outcome = { ...outcome, isDone, reason: isDone ? "" : reasonOf(xhr) };
  };
  document.addEventListener("htmx:beforeSwap", takeBoth, { capture: true });
  document.addEventListener("htmx:afterRequest", end);
  const values = valuesOf(formData);
  const place = target?.isConnected ? { target, swap: "outerHTML" } : { swap: "none" };
  try {
    await htmx.ajax("POST", path, { values, ...place });
  } catch {
    /* `end` was told */
  } finally {
    document.removeEventListener("htmx:beforeSwap", takeBoth, { capture: true });
    document.removeEventListener("htmx:afterRequest", end);
  }
  if (outcome.isDone) forgetSent(path, [...formData]);
  return outcome;
}
