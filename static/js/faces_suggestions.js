// Who the groups and faces on the page probably are, compared with the names given so far: asked again
// after each answer, while the naming goes on. What the focused row says stays, and no row above it
// moves.
import {
  container,
  crops,
  currentRow,
  faceOf,
  loose,
  nameField,
  rowOf,
  rows,
} from "./faces_dom.js";
import { announcement, byName, commonName } from "./lib/suggestions.js";
import { inOrder, keysToAsk, mustWait, wordsOf } from "./lib/suggestions.js";

const GROUPS_MAX = 60; // as the server takes them
const FACES_MAX = 60;
const SOON_MS = 60; // several answers may come at once
const CHIPS_MAX = 6;
const address = container?.dataset.suggestions;
const status = document.querySelector("[data-suggested]");
const later = new WeakMap(); // row -> its suggestion, which came while it had the focus
const dismissed = new WeakMap(); // row -> the name that this person does not want
let ofFaces = new Map(); // key of a face in no group -> {name, confidence} or null
let isAsking = false;
let isAnew = false; // an undo: what the focused row says may be gone
let isDue = false;

const keyOf = (row) => row.id.replace("cluster", "");

// What Enter takes in an empty field.
function setGuess(field, name, placeholder) {
  field.dataset.guess = name;
  field.placeholder = placeholder;
  field.title = name && placeholder; // a long name may be cut
}

// The suggestion stands in the field, where it takes no room that anything else has. Names from files
// and tags stay.
function showSuggestion(row, suggestion) {
  const field = nameField(row);
  const isWanted = suggestion && dismissed.get(row) !== suggestion.name;
  later.delete(row);
  row.dataset.confidence = isWanted ? suggestion.confidence : "";
  if (field.dataset.byFiles) return;
  if (isWanted) setGuess(field, suggestion.name, `${wordsOf(suggestion)} ↵`);
  else setGuess(field, "", "Name…");
}

// Returns the suggestion where it has appeared in the row that has the focus.
function takeIn(row, suggestion) {
  const isCurrent = row.hasAttribute("data-current");
  if (!isAnew && mustWait({ before: nameField(row).dataset.guess, isCurrent })) {
    later.set(row, suggestion);
    return null;
  }
  showSuggestion(row, suggestion);
  return isCurrent && nameField(row).dataset.guess === suggestion?.name ? suggestion : null;
}

const isTouched = (row) =>
  Boolean(nameField(row).value) || row.querySelector("input[name=out]:checked") !== null;

function isOnScreen(row) {
  const { top, bottom } = row.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

// Rows that a hand or an eye is at stay, and all above them.
function isPinned(row) {
  const hasFocus = row.hasAttribute("data-current");
  return hasFocus || row.matches(":hover") || isTouched(row) || (!currentRow() && isOnScreen(row));
}

function sortRows() {
  const before = rows();
  const after = inOrder(before, {
    isPinned,
    confidenceOf: (row) => Number(row.dataset.confidence),
  });
  for (const [index, row] of after.entries()) {
    if (row !== rows()[index]) rows()[index].before(row);
  }
}

function suggestionOf(entry) {
  return entry ? { name: entry[0], confidence: entry[1] } : null;
}

function takeRows(clusters) {
  let current = null;
  for (const row of rows()) {
    const entry = clusters[keyOf(row)];
    if (entry !== undefined) current = takeIn(row, suggestionOf(entry)) || current;
  }
  sortRows();
  const count = rows().filter((row) => row.dataset.confidence).length;
  const text = announcement({ current, count });
  if (status.textContent !== text) status.textContent = text;
}

// Faces in no group.

const looseBoxes = () => [...loose.querySelectorAll("input[name=face]")];

function showOnCrop(checkbox) {
  const crop = checkbox.closest(".crop");
  const suggestion = ofFaces.get(faceOf(checkbox));
  crop.querySelector(".sure")?.remove();
  if (!suggestion) return;
  const label = document.createElement("span");
  label.className = "sure clip";
  label.textContent = `${suggestion.name} ${suggestion.confidence.toFixed(2)}`;
  label.title = wordsOf(suggestion);
  crop.append(label);
}

function chipFor({ name, faces }) {
  const chip = document.createElement("button");
  chip.type = "button";
  chip.className = "chip model";
  chip.dataset.takeFaces = faces.join(" ");
  chip.dataset.name = name;
  chip.textContent = `${name} ${faces.length}`;
  return chip;
}

const confidenceOf = (checkbox) => ofFaces.get(faceOf(checkbox))?.confidence || 0;

// Alike faces stand together, unless somebody is at work among them.
function sortFaces(names) {
  const boxes = crops(loose);
  const isBusy = loose.matches(":hover, :focus-within") || boxes.some(({ checked }) => checked);
  if (isBusy) return;
  const placeOf = (checkbox) => {
    const index = names.indexOf(ofFaces.get(faceOf(checkbox))?.name);
    return index < 0 ? names.length : index;
  };
  const sorted = boxes.toSorted(
    (first, second) =>
      placeOf(first) - placeOf(second) || confidenceOf(second) - confidenceOf(first),
  );
  for (const checkbox of sorted) loose.querySelector(".crops").append(checkbox.closest(".crop"));
}

export function showLooseSuggestions() {
  const shown = new Set(crops(loose).map(faceOf));
  ofFaces = new Map([...ofFaces].filter(([face]) => shown.has(face)));
  for (const checkbox of looseBoxes()) showOnCrop(checkbox);
  const groups = byName(ofFaces);
  sortFaces(groups.map(({ name }) => name));
  const line = loose.querySelector("[data-probable]");
  if (!line) return;
  line.hidden = !groups.length;
  line
    .querySelector("[data-probable-names]")
    .replaceChildren(...groups.slice(0, CHIPS_MAX).map(chipFor));
  showLooseGuess();
}

// Enter in the empty field names the selected faces, where they have one suggestion; without any it
// selects those of the first.
function showLooseGuess() {
  const field = nameField(loose);
  if (!field) return;
  const chosen = crops(loose).filter(({ checked }) => checked);
  const name = commonName(chosen.map(faceOf), ofFaces);
  setGuess(field, name, name ? `Probably ${name} ↵` : "Name…");
}

// The chip that Enter presses in the empty field while no face is selected.
export function firstChip() {
  const isOpen = !nameField(loose)?.value && !loose.querySelector("input[name=face]:checked");
  return isOpen ? loose.querySelector("[data-probable] [data-take-faces]") : null;
}

// Asking.

const hasCast = () => document.querySelector("#cast [data-cast-name]") !== null;

function forgetAll() {
  for (const row of rows()) showSuggestion(row, null);
  ofFaces = new Map();
  showLooseSuggestions();
}

async function ask() {
  if (!hasCast()) {
    forgetAll();
    return;
  }
  const keys = rows().map(keyOf);
  const current = currentRow();
  const faces = crops(loose).map(faceOf).slice(0, FACES_MAX);
  const clusters = keysToAsk(keys, { current: current && keyOf(current), most: GROUPS_MAX });
  if (!clusters.length && !faces.length) return;
  const query = new URLSearchParams([
    ...clusters.map((key) => ["cluster", key]),
    ...faces.map((key) => ["face", key]),
  ]);
  let response;
  try {
    response = await fetch(`${address}?${query}`, { headers: { Accept: "application/json" } });
  } catch {
    return; // the next answer asks again
  }
  if (!response.ok || response.redirected || isDue) return;
  const suggestions = await response.json();
  takeRows(suggestions.clusters);
  isAnew = false;
  ofFaces = new Map(
    Object.entries(suggestions.faces).map(([face, entry]) => [face, suggestionOf(entry)]),
  );
  showLooseSuggestions();
}

// Ask now, or once the answer to the last question is here.
export async function askForSuggestions({ anew = false } = {}) {
  if (!address) return;
  isAnew ||= anew;
  isDue = true;
  if (isAsking) return;
  isAsking = true;
  try {
    while (isDue) {
      await new Promise((resolve) => {
        setTimeout(resolve, SOON_MS);
      });
      isDue = false;
      await ask();
    }
  } finally {
    isAsking = false; // also where an answer was none: the next name asks again
  }
}

// The name is not wanted: Enter takes it no more. Returns whether there was one.
export function dismiss(field) {
  const row = rowOf(field);
  if (!row || field.value || !field.dataset.guess) return false;
  dismissed.set(row, field.dataset.guess);
  field.dataset.byFiles = "";
  showSuggestion(row, null);
  return true;
}

// A row that lost the focus says what came meanwhile.
document.addEventListener("koma:row", () => {
  for (const row of rows()) {
    if (later.has(row) && !row.hasAttribute("data-current")) showSuggestion(row, later.get(row));
  }
});
document.addEventListener("change", ({ target }) => {
  if (target.name === "face" && loose?.contains(target)) showLooseGuess();
});
