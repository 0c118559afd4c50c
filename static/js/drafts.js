// What was typed or chosen and not sent is kept in this browser, for this person, until it is sent:
// it is back after a login, on coming back, and when a response draws the form anew.
import { DRAFT, keysWith, removeOutdated, SENT, user } from "./browser_store.js";
import { hasAnswer } from "./forms.js";
import { draftKey, partsOf } from "./lib/draft_keys.js";
import { readJson, writeJson } from "./lib/json_storage.js";

const FIELDS = [
  "textarea",
  "select",
  "input:not([type])",
  "input[type=text]",
  "input[type=number]",
  "input[type=search]",
  "input[type=url]",
  "input[type=checkbox][data-draft]",
].join();
const STAMPS = ["seen", "version"];

function isKept(field) {
  return (
    field.matches(FIELDS) &&
    Boolean(field.name) &&
    !field.hidden &&
    !field.readOnly &&
    field.form !== null &&
    field.form.method === "post" &&
    !field.form.querySelector("[type=password]") &&
    !field.closest("[data-no-drafts]")
  );
}

function fieldsOf(root) {
  return [...root.querySelectorAll("textarea, select, input")].filter(isKept);
}

const isCheckbox = (field) => field.type === "checkbox";
const valueOf = (field) => (isCheckbox(field) ? String(field.checked) : field.value);

function setValue(field, value) {
  if (isCheckbox(field)) field.checked = value === "true";
  else field.value = value;
}

// The value that the server sent.
function originalValue(field) {
  if (isCheckbox(field)) return String(field.defaultChecked);
  if (!field.matches("select")) return field.defaultValue;
  const options = [...field.options];
  return (options.find((option) => option.defaultSelected) || options[0])?.value;
}

function keyOf(field) {
  const alike = [...field.form.elements].filter((other) => other.name === field.name);
  return draftKey(DRAFT, {
    page: location.pathname,
    action: new URL(field.form.action).pathname,
    name: field.name,
    index: alike.indexOf(field),
    place: field.getAttribute("aria-label") || field.placeholder || "",
  });
}

// What the form had shown when the typing began: so that the server can tell whether somebody wrote
// meanwhile.
function stampsOf(form) {
  const names = STAMPS.filter((name) => form.elements[name]);
  return Object.fromEntries(names.map((name) => [name, form.elements[name].value]));
}

function keep(field) {
  const key = keyOf(field);
  const isChanged = valueOf(field) !== originalValue(field);
  if (isChanged) {
    const before = readJson(localStorage, key);
    const stamps = before ? before.stamps : stampsOf(field.form);
    writeJson(localStorage, key, { value: valueOf(field), stamps, at: Date.now() });
  } else {
    localStorage.removeItem(key);
  }
  field.toggleAttribute("data-unsent", isChanged);
}

// Put a draft back into its field; whether it was.
function restoreField(field) {
  const key = keyOf(field);
  const draft = readJson(localStorage, key);
  if (!draft) return false;
  if (draft.value === originalValue(field)) {
    localStorage.removeItem(key);
    return false;
  }
  const isSelect = field.matches("select");
  if (isSelect && ![...field.options].some((option) => option.value === draft.value)) return false;
  setValue(field, draft.value);
  field.toggleAttribute("data-unsent", true);
  for (const [name, value] of Object.entries(draft.stamps)) {
    if (field.form.elements[name]) field.form.elements[name].value = value;
  }
  return true;
}

function restore() {
  const forms = new Set();
  for (const field of fieldsOf(document)) {
    if (restoreField(field)) forms.add(field.form);
  }
  for (const form of forms) {
    form.dispatchEvent(new CustomEvent("koma:restored", { bubbles: true }));
  }
}

function valuesOf(form) {
  return fieldsOf(form).map((field) => ({ key: keyOf(field), value: valueOf(field), field }));
}

function forget(drafts) {
  for (const { key, value, field } of drafts) {
    const draft = readJson(localStorage, key);
    if (draft && draft.value === value) localStorage.removeItem(key); // else more was typed since
    if (field && field.isConnected && valueOf(field) === value) {
      if (isCheckbox(field)) field.defaultChecked = field.checked;
      else if (!field.matches("select")) field.defaultValue = value;
      field.removeAttribute("data-unsent");
    }
  }
}

function draftsFor(path) {
  return keysWith(DRAFT).filter((key) => partsOf(key).action === path);
}

// A form that was sent to `path` with these fields (pairs of name and value) was done.
export function forgetSent(path, fields) {
  const values = new Map(fields.toReversed()); // of several with one name the first
  forget(draftsFor(path).map((key) => ({ key, value: values.get(partsOf(key).name) })));
}

// Plain forms: a cookie says on the next page which of them was done.
function noteSent({ target: form, defaultPrevented }) {
  const isOurs = !form.hasAttribute("hx-post") && Boolean(form.elements.key);
  // A form that repeats another one, key and all, has nothing of its own: what that one held is
  // noted already.
  if (defaultPrevented || !isOurs || form.matches("[data-same-key]")) return;
  // A form may do what another one, on the page before, has asked for.
  const path =
    form.dataset.draftsOf ?? (form.matches("[data-both]") && new URL(form.action).pathname);
  const drafts = path
    ? draftsFor(path).map((key) => ({ key, value: readJson(localStorage, key).value }))
    : valuesOf(form).map(({ key, value }) => ({ key, value }));
  writeJson(sessionStorage, SENT, { form: form.elements.key.value, drafts });
}

function forgetDone() {
  const sent = readJson(sessionStorage, SENT);
  const done = document.cookie.match(/(?:^|; )koma_done=([^;]+)/)?.[1];
  if (!sent || !done || decodeURIComponent(done) !== sent.form) return;
  forget(sent.drafts);
  sessionStorage.removeItem(SENT);
  document.cookie = "koma_done=; Max-Age=0; Path=/";
}

// htmx: what was sent is forgotten once it was answered, and everything else survives the form that
// is drawn anew.
function noteRequest({ detail }) {
  const form = detail.elt.closest("form");
  if (detail.verb !== "post" || !form || !form.elements.key) return;
  detail.komaDrafts = valuesOf(form);
  detail.komaForm = form;
}

function forgetAnswered({ detail }) {
  const { komaDrafts, komaForm } = detail.requestConfig;
  if (!komaDrafts || detail.xhr.status >= 300 || !hasAnswer(detail.xhr)) return;
  forget(komaDrafts);
  const seen = detail.xhr.getResponseHeader("X-Koma-Seen");
  if (seen && komaForm.elements.seen) komaForm.elements.seen.value = seen;
}

let focus = null; // {key, start, end} of the field that is typed in while its form is drawn anew

function noteFocus() {
  const field = document.activeElement;
  const isTypedIn = field?.form && isKept(field) && field.hasAttribute("data-unsent");
  focus = isTypedIn
    ? { key: keyOf(field), start: field.selectionStart, end: field.selectionEnd }
    : null;
}

function restoreFocus() {
  if (!focus || document.activeElement !== document.body) return;
  const field = fieldsOf(document).find((other) => keyOf(other) === focus.key);
  if (!field) return;
  field.focus({ preventScroll: true });
  const hasSelection = focus.start !== null && field.setSelectionRange && field.type !== "number";
  if (hasSelection) field.setSelectionRange(focus.start, focus.end);
}

if (user) {
  removeOutdated();
  for (const type of ["input", "change"]) {
    document.addEventListener(type, ({ target }) => {
      if (target.form !== undefined && isKept(target)) keep(target);
    });
  }
  document.addEventListener("submit", noteSent);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-keep-theirs], [data-drop-drafts]");
    if (!link) return;
    const path = link.dataset.dropDrafts ?? new URL(link.closest("form").action).pathname;
    for (const key of draftsFor(path)) localStorage.removeItem(key);
  });
  document.addEventListener("htmx:configRequest", noteRequest);
  document.addEventListener("htmx:beforeOnLoad", forgetAnswered);
  document.addEventListener("htmx:beforeSwap", noteFocus);
  document.addEventListener("htmx:afterSwap", () => {
    restore();
    restoreFocus();
  });
  document.addEventListener("DOMContentLoaded", () => {
    forgetDone();
    restore();
  });
}
