// Answers on the faces page: what was named goes at once, and comes back with the reason where it was
// refused or not sent.
import { sendAnswer } from "./answers.js";
import { cast } from "./faces_digits.js";
import {
  crops,
  currentRow,
  faceOf,
  fillName,
  loose,
  nameField,
  rowBeside,
  rowOf,
} from "./faces_dom.js";
import { showLooseFaces, sentFaces } from "./faces_parts.js";
import { askForSuggestions, firstChip } from "./faces_suggestions.js";
import { choose, moveOn, showEnd } from "./faces_steps.js";
import { nameFor } from "./lib/cast_keys.js";
import { showBoth } from "./unsent.js";

const pathOf = (form) => new URL(form.action).pathname;

export function showReason(form, { reason = "", both = "" } = {}) {
  const place = form.querySelector("[data-reason]");
  place.hidden = !reason;
  place.textContent = reason;
  if (!both) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn";
  button.textContent = "Compare";
  button.addEventListener("click", () => showBoth(both));
  place.append(" ", button);
}

// What the form says now, with the name that is meant; null where it says nothing yet.
function answerOf(form, action) {
  const field = nameField(form);
  showReason(form);
  if (action === "name") {
    const name = nameFor(field.value, { cast: cast(), guess: field.dataset.guess });
    if (!name) {
      field.focus();
      return null;
    }
    if (name !== field.value) fillName(field, name);
  }
  const formData = new FormData(form);
  formData.set("act", action);
  return formData;
}

// A group of which nothing is left shrinks to a line until the server has answered.
function collapse(row, text) {
  row.toggleAttribute("data-pending", true);
  row.removeAttribute("data-current");
  row.querySelector("form").inert = true;
  const line = document.createElement("p");
  line.className = "pending-line";
  line.textContent = text;
  row.append(line);
}

function reopen(row, outcome) {
  row.removeAttribute("data-pending");
  row.querySelector("form").inert = false;
  row.querySelector(".pending-line")?.remove();
  showReason(row, outcome);
  if (!currentRow()) choose(row);
}

// The server drew no new row: it had this answer already.
function settle(row) {
  const line = row.querySelector(".pending-line");
  if (!line) return;
  row.removeAttribute("data-cluster");
  row.className = "cluster done";
  row.replaceChildren(`✓ ${line.textContent}`);
}

export async function answerRow(row, action) {
  const form = row.querySelector("form");
  const formData = answerOf(form, action);
  if (!formData) return;
  const isWhole = action === "name" || action === "nobody";
  const count = row.querySelector("[data-left]").textContent;
  if (isWhole) {
    const next = rowBeside(row, 1);
    const wasCurrent = row.hasAttribute("data-current");
    collapse(row, `${count} → ${action === "name" ? formData.get("name") : "not in the cast"}`);
    if (wasCurrent) moveOn(next);
  }
  const outcome = await sendAnswer(pathOf(form), formData, { target: () => row });
  if (outcome.isDone) askForSuggestions();
  if (!row.isConnected) {
    const fresh = document.getElementById(row.id);
    if (row.hasAttribute("data-current") && rowOf(fresh)) choose(fresh);
  } else if (!outcome.isDone) {
    reopen(row, outcome);
  } else if (isWhole) {
    settle(row);
  }
}

// Faces in no group: the chosen ones go at once and come back where the answer fails.
export async function answerLoose(form, action) {
  const chosen = crops(form).filter((checkbox) => checkbox.checked);
  if (!chosen.length && action === "name" && firstChip()) {
    firstChip().click();
    return;
  }
  if (!chosen.length) {
    showReason(form, { reason: "Select faces first." });
    return;
  }
  const formData = answerOf(form, action);
  if (!formData) return;
  const field = nameField(form);
  const faces = chosen.map(faceOf);
  for (const checkbox of chosen) checkbox.checked = false;
  for (const face of faces) sentFaces.add(face);
  showLooseFaces();
  fillName(field, "");
  field.focus({ preventScroll: true });
  const outcome = await sendAnswer(pathOf(form), formData);
  for (const face of faces) sentFaces.delete(face);
  showLooseFaces();
  if (outcome.isDone) {
    askForSuggestions();
    if (!crops(loose).length) showEnd();
    return;
  }
  for (const checkbox of crops(form)) checkbox.checked ||= faces.includes(faceOf(checkbox));
  if (!field.value && action === "name") fillName(field, formData.get("name"));
  showReason(form, outcome);
}
