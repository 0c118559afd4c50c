// "Name the rest": the dry run and its result stand on the faces page. Digits give a face or a group
// to another character, Space leaves it out, Enter applies.
import { inTurn } from "./answers.js";
import { cast } from "./faces_digits.js";
import { meaning } from "./lib/cast_keys.js";

const result = () => document.querySelector("[data-rest-result]");
const boxes = () => [...document.querySelectorAll("#rest input[type=checkbox]")].filter(isShown);
const isShown = (box) => box.closest("details").open;

// Names that are on their way come first: the others are compared with them.
document.addEventListener(
  "submit",
  (event) => {
    const form = event.target;
    if (!form.matches("[data-name-rest]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const values = Object.fromEntries(new FormData(form, event.submitter));
    const path = new URL(form.action).pathname;
    const button = form.querySelector("button");
    button.disabled = true;
    inTurn(() => htmx.ajax("POST", path, { values, target: "#rest", swap: "outerHTML" }))
      .catch(() => {}) // a toast says so
      .finally(() => {
        button.disabled = false;
      });
  },
  { capture: true },
);

// The result is looked through from the keyboard at once.
document.addEventListener("htmx:afterSwap", () => {
  const form = result();
  if (!form || form.dataset.isSeen) return;
  form.dataset.isSeen = "1";
  form.querySelector("[value=apply]").focus({ preventScroll: true });
  form.scrollIntoView({ block: "nearest" });
});

function placeOf(box) {
  const isGroup = box.name === "out_group";
  const place = box.closest(isGroup ? "[data-proposed-group]" : ".crop");
  return {
    field: isGroup ? "as_group" : "as",
    output: place.querySelector("[data-as]"),
    key: box.value,
  };
}

// Give what the checkbox is for to `name`; to nobody else with "".
function assign(box, name) {
  const { field, output, key } = placeOf(box);
  for (const input of result().querySelectorAll(`input[type=hidden][name=${field}]`)) {
    if (input.value.startsWith(`${key}:`)) input.remove();
  }
  output.hidden = !name;
  output.textContent = name ? `→ ${name}` : "";
  if (!name) return;
  box.checked = false;
  const input = document.createElement("input");
  input.type = "hidden";
  input.name = field;
  input.value = `${key}:${name}`;
  result().append(input);
}

function step(box, by) {
  const all = boxes();
  all[all.indexOf(box) + by]?.focus();
}

// Before the page's own keys: a digit means a face of the result here, not the current row.
document.addEventListener(
  "keydown",
  (event) => {
    const { target, key, ctrlKey, metaKey, altKey } = event;
    if (!target.matches?.("#rest input[type=checkbox]") || ctrlKey || metaKey || altKey) return;
    const meant = meaning(key, cast());
    if (meant?.person) assign(target, meant.person.name);
    else if (key === "Backspace") assign(target, "");
    else if (key === "ArrowRight") step(target, 1);
    else if (key === "ArrowLeft") step(target, -1);
    else if (!meant) return;
    event.preventDefault();
    event.stopPropagation();
  },
  { capture: true },
);

document.addEventListener("change", ({ target }) => {
  if (target.matches("#rest input[type=checkbox]") && target.checked) assign(target, "");
});
