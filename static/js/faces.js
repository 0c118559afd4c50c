// Naming clusters by keyboard: one row is current; its name field takes the typing, Enter names and
// goes to the next.
import { meaning, nameFor } from "./lib/cast_keys.js";
import { hasModifier } from "./lib/keyboard.js";
import { neighbour } from "./lib/lists.js";

const AFTER_SWAP_MS = 60;
const rows = () => [...document.querySelectorAll("[data-cluster]")];
const currentRow = () => document.querySelector("[data-cluster][data-current]");
const rowOf = (node) => node?.closest?.("[data-cluster]");
const nameField = (row) => row.querySelector("input[name=name]");
const looseFaces = () => document.querySelector("form.loose"); // those that match no group
const isFree = (row) => !row.hasAttribute("data-held"); // nobody else is working on it
const rowBeside = (row, step) => neighbour(rows(), row, step, isFree);

function choose(row, { focus = true } = {}) {
  for (const other of rows()) other.toggleAttribute("data-current", other === row);
  if (!row) return;
  if (focus && nameField(row)) nameField(row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
  document.dispatchEvent(new Event("koma:row"));
}

function chooseBeside(row, step) {
  choose(rowBeside(row, step) || row);
}

function fillName(field, name) {
  field.value = name;
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.focus();
}

// The persons that have a key, by digit.
function cast() {
  const members = document.querySelectorAll("#cast [data-cast-name][data-key]");
  const person = (member) => ({
    name: member.dataset.castName,
    portrait: member.querySelector("img")?.src,
  });
  return new Map([...members].map((member) => [member.dataset.key, person(member)]));
}

// Whom a typed digit means, beside the field and before Enter.
function showMeaning(field) {
  const output = field.closest("form").querySelector("[data-meant]");
  const meant = meaning(field.value, cast());
  output.hidden = !meant;
  if (!meant) return;
  const label = document.createElement("span");
  label.className = "clip";
  label.textContent = meant.person?.name || `No character has the key ${meant.digit}.`;
  output.replaceChildren(label);
  if (!meant.person?.portrait) return;
  const portrait = document.createElement("img");
  portrait.src = meant.person.portrait;
  portrait.alt = "";
  output.prepend(portrait);
}

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
  for (const checkbox of form.querySelectorAll("input[name=face]")) {
    checkbox.checked = faces.has(checkbox.value.split(/\D/)[0]);
  }
  fillName(nameField(form), chip.dataset.name);
}

if (matchMedia("(hover: hover)").matches) choose(rows()[0]);

document.addEventListener("focusin", (event) => {
  const row = rowOf(event.target);
  if (row && row !== currentRow()) choose(row, { focus: false });
  if (looseFaces()?.contains(event.target)) choose(null);
});

document.addEventListener("change", (event) => {
  const row = rowOf(event.target);
  if (row && event.target.name === "out") showCounts(row);
});

document.addEventListener("click", ({ target }) => {
  const row = rowOf(target);
  const guess = target.closest("[data-take-guess]");
  if (guess) fillName(nameField(row), guess.dataset.takeGuess);
  const chip = target.closest("[data-take-faces]");
  if (chip) takeFaces(chip);
  if (target.closest("[data-skip]")) chooseBeside(row, 1);
  const step = target.closest("[data-go]");
  if (step) choose(rowBeside(currentRow(), Number(step.dataset.go)) || currentRow() || rows()[0]);
  const member = target.closest("[data-cast-name]");
  const form = currentRow() || looseFaces();
  if (member && form) fillName(nameField(form), member.dataset.castName);
});

// Inside an empty name field the arrows change the row.
document.addEventListener("keydown", (event) => {
  const field = event.target.closest("[data-cluster] input[name=name], .loose input[name=name]");
  if (!field || event.isComposing || hasModifier(event)) return;
  if (rowOf(field) && !field.value && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    chooseBeside(rowOf(field), event.key === "ArrowDown" ? 1 : -1);
  }
  if (event.key === "Enter" && !field.value.trim() && field.dataset.guess) {
    event.preventDefault();
    field.value = field.dataset.guess;
  }
});

document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-cluster] input[name=name]")) showMeaning(target);
});

// A digit is sent as the name that it means; one that means nobody is not sent.
document.addEventListener(
  "submit",
  (event) => {
    const row = rowOf(event.target);
    const field = row && nameField(row);
    const meant = field && meaning(field.value, cast());
    if (!meant) return;
    if (meant.person) {
      field.value = nameFor(field.value, { cast: cast() });
    } else {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  },
  { capture: true },
);

// Outside of fields: S skips, N says that what was taken out is no face, Enter goes to the name.
document.addEventListener("keydown", (event) => {
  const inField = event.target.matches("input:not([type=checkbox]), textarea, select");
  if (event.defaultPrevented || inField || hasModifier(event)) return;
  const row = currentRow();
  if (!row) return;
  if (event.key === "s") {
    event.preventDefault();
    chooseBeside(row, 1);
  }
  if (event.key === "n" && !row.querySelector("[data-taken]").hidden) {
    event.preventDefault();
    row.querySelector("[value=not_a_face]").click();
  }
  if (event.key === "Enter" && !event.target.closest("button, a")) {
    event.preventDefault();
    nameField(row).focus();
  }
});

// The next loose faces are somebody else.
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt === looseFaces()) nameField(detail.elt).value = "";
});

// A row that was named shrinks to a line; the next one takes the focus. Never the wrong one: the
// response names its row.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const row = rowOf(event.detail.target);
  if (!row) return;
  const next = rowBeside(row, 1) || rowBeside(row, -1);
  const wasCurrent = row.hasAttribute("data-current");
  setTimeout(() => {
    if (!wasCurrent || currentRow()) return;
    const same = document.getElementById(row.id);
    const target = same && same.matches("[data-cluster]") ? same : next;
    if (target) choose(target);
    else looseFaces()?.querySelector("input[name=face]")?.focus();
  }, AFTER_SWAP_MS);
});
