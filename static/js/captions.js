// The list of captions by keyboard: Enter and arrows lead through it, each caption is saved as soon
// as it is left.
import { estimatedTokens, MAX_TOKENS } from "./lib/caption_tokens.js";

const STEPS = { ArrowUp: -1, ArrowDown: 1 };
const table = document.querySelector("table.captions");
const fields = () => [...table.querySelectorAll(".caption-form textarea")];
let isFresh = false; // nothing was typed and the caret is where the step put it

function count(field) {
  const tokens = estimatedTokens(field.value);
  const output = field.form.querySelector("[data-tokens]");
  output.textContent = `about ${tokens} tokens${tokens > MAX_TOKENS ? `, over ${MAX_TOKENS}` : ""}`;
  output.classList.toggle("over", tokens > MAX_TOKENS);
}

function countAll() {
  for (const field of fields()) count(field);
}

function save(field) {
  if (field.value !== field.defaultValue) field.form.requestSubmit();
}

function step(field, by) {
  const list = fields();
  const next = list[list.indexOf(field) + by];
  if (!next) {
    save(field);
    return;
  }
  next.focus(); // the one that is left is saved
  next.setSelectionRange(next.value.length, next.value.length);
  next.closest("tr").scrollIntoView({ block: "nearest" });
  isFresh = true;
}

function copyPrevious(field) {
  const list = fields();
  const previous = list[list.indexOf(field) - 1];
  if (!previous || field.readOnly) return;
  field.value = previous.value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

// Arrows move the caret within a text that is worked on, and leave it at its ends.
function leaves(field, key) {
  if (isFresh) return true;
  return key === "ArrowUp" ? field.selectionEnd === 0 : field.selectionStart === field.value.length;
}

function onKey(event) {
  const field = event.target;
  if (!field.matches(".caption-form textarea") || event.isComposing) return;
  if (event.altKey && event.code === "KeyC") {
    event.preventDefault();
    copyPrevious(field);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") {
    event.preventDefault();
    step(field, event.shiftKey ? -1 : 1);
  } else if (STEPS[event.key] && !event.shiftKey && leaves(field, event.key)) {
    event.preventDefault();
    step(field, STEPS[event.key]);
  } else if (event.key !== "Shift") {
    isFresh = false;
  }
}

if (table) {
  table.addEventListener("keydown", onKey);
  table.addEventListener("pointerdown", () => {
    isFresh = false;
  });
  table.addEventListener("input", (event) => {
    if (event.target.matches("textarea")) count(event.target);
  });
  table.addEventListener("focusout", (event) => {
    if (event.target.matches("textarea")) save(event.target);
  });
  table.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy-previous]");
    if (button) copyPrevious(button.form.querySelector("textarea"));
  });
  document.addEventListener("keydown", (event) => {
    const isFree = event.target === document.body && !document.querySelector("dialog[open]");
    if (event.key !== "c" || !isFree || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    fields()[0]?.focus();
    isFresh = true;
  });
  document.body.addEventListener("htmx:afterSettle", countAll);
  document.addEventListener("DOMContentLoaded", countAll);
  countAll();
}
