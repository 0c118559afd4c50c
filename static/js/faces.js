// Naming by keyboard: one row is current and its name field takes the typing. An answer goes out in
// the background while the next row has the focus already.
import { inTurn } from "./answers.js";
import { answerLoose, answerRow, showReason } from "./faces_answers.js";
import { showMeaning } from "./faces_digits.js";
import {
  container,
  crops,
  currentRow,
  faceOf,
  fillName,
  formOf,
  loose,
  nameField,
  rowOf,
  rows,
} from "./faces_dom.js";
import { showUndone, watch } from "./faces_parts.js";
import { askForSuggestions, dismiss } from "./faces_suggestions.js";
import { choose, chooseBeside, end } from "./faces_steps.js";
import { isTextField } from "./lib/keyboard.js";
import { namingAction } from "./lib/naming_keys.js";

// How many faces of a row are left, and how many are taken out.
function showCounts(row) {
  const out = row.querySelectorAll("input[name=out]:checked").length;
  const left = row.querySelector("[data-left]");
  if (!left) return;
  left.dataset.all ||= left.textContent;
  left.textContent = Number(left.dataset.all.replace(/\D/g, "")) - out;
  row.querySelector("[data-taken]").hidden = !out;
  row.querySelector("[data-taken-count]").textContent = out;
}

// Of loose faces a chip also chooses those that may be this person.
function takeFaces(chip) {
  const form = chip.closest("form");
  const faces = new Set(chip.dataset.takeFaces.split(" "));
  for (const checkbox of crops(form)) checkbox.checked = faces.has(faceOf(checkbox));
  fillName(nameField(form), chip.dataset.name);
  nameField(form).focus();
}

document.addEventListener("focusin", (event) => {
  const row = rowOf(event.target);
  if (row && row !== currentRow()) choose(row, { focus: false });
  if (loose?.contains(event.target)) choose(null);
});

document.addEventListener("change", (event) => {
  const row = rowOf(event.target);
  if (row && event.target.name === "out") showCounts(row);
});

document.addEventListener("input", ({ target }) => {
  if (target.name !== "name" || !formOf(target)) return;
  showMeaning(target);
  showReason(target.closest("form"));
});

document.addEventListener(
  "submit",
  (event) => {
    const form = formOf(event.target);
    if (!form) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const action = event.submitter?.value || "name";
    const row = rowOf(form);
    if (row) answerRow(row, action);
    else answerLoose(form, action);
  },
  { capture: true },
);

document.addEventListener("click", ({ target }) => {
  const guess = target.closest("[data-take-guess]");
  if (guess) {
    const field = nameField(rowOf(guess));
    fillName(field, guess.dataset.takeGuess);
    field.focus();
  }
  const chip = target.closest("[data-take-faces]");
  if (chip) takeFaces(chip);
  if (target.closest("[data-skip]")) {
    choose(rowOf(target), { focus: false });
    chooseBeside(1);
  }
  if (target.closest("#end .btn")) choose(rows()[0]);
  const member = target.closest("[data-cast-name]");
  if (member) takeMember(member);
});

// A person of the cast, by a click or a digit: for the form that has the focus, else the current row.
function takeMember(member) {
  const inLoose = loose?.contains(document.activeElement) || loose?.querySelector(":checked");
  const field = nameField(!currentRow() && inLoose ? loose : currentRow());
  if (!field) return;
  fillName(field, member.dataset.key || member.dataset.castName);
  field.focus();
}

const ACTIONS = {
  next: () => chooseBeside(1),
  previous: () => chooseBeside(-1),
  nobody: (form) => form && press(form, "nobody"),
  "not-faces": (form) => form && press(form, "not_a_face"),
  faces: (form) => crops(form)[0]?.focus(),
  "next-face": (form, target) => focusFace(form, target, 1),
  "previous-face": (form, target) => focusFace(form, target, -1),
  name: (form) => nameField(form)?.focus(),
  help: () => document.querySelector("[data-open='#help']").click(),
  search: () => document.getElementById("q")?.focus(),
};

// Only a button that one sees is pressed: without deselected faces there is none for them.
function press(form, action) {
  const button = form.querySelector(`[name=act][value=${action}]`);
  if (button?.getClientRects().length) button.click();
}

function focusFace(form, checkbox, step) {
  const all = crops(form);
  const index = all.indexOf(checkbox) + step;
  if (index < 0) nameField(form).focus();
  else all[index]?.focus();
}

// Before the page's own keys: Esc takes a suggested name away, and then leaves the field. An Enter that
// is held down names one row.
document.addEventListener(
  "keydown",
  (event) => {
    const { target, key } = event;
    if (target.name !== "name" || !formOf(target)) return;
    const isUsed = key === "Escape" ? dismiss(target) : key === "Enter" && event.repeat;
    if (!isUsed) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

function placeOf(target) {
  if (target.closest("#rest")) return null;
  if (target.matches(".crop input[type=checkbox]")) return "crop";
  if (target.name === "name" && formOf(target)) return "field";
  return isTextField(target) ? null : "page";
}

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const place = placeOf(target);
  const pressesControl = key === "Enter" && target.closest("a, button, summary");
  if (!place || pressesControl) return;
  const action = namingAction(event, { place, text: target.value });
  const form = formOf(target) || currentRow()?.querySelector("form");
  if (!action || (!form && !end)) return;
  event.preventDefault();
  ACTIONS[action](form, target);
});

document.addEventListener("koma:undo", (event) => {
  event.preventDefault();
  const values = { ...event.detail, stays: "1" };
  const undo = () => htmx.ajax("POST", document.body.dataset.undoUrl, { swap: "none", values });
  inTurn(undo).catch(() => {}); // without an answer a toast says so
});
document.addEventListener("koma:skip", () => chooseBeside(1));
async function bringBack(operation) {
  const back = await showUndone(operation);
  if (back.length) choose(back[0]);
  else if (!currentRow()) nameField(loose)?.focus();
}
document.body.addEventListener("undone", ({ detail }) => {
  inTurn(() => bringBack(detail.operation)).catch(() => location.reload());
});

if (container) {
  watch();
  askForSuggestions();
  if (matchMedia("(hover: hover)").matches) {
    choose(rows()[0]);
    if (!rows().length) crops(loose)[0]?.focus({ preventScroll: true });
  }
}
