// What models saw in the frame: shown by kind or all at once. The choice is kept by name, so that
// it holds on the next frame; it sits on the wrapper, which stays when the boxes inside are drawn
// anew.
import { readJson, writeJson } from "./lib/json_storage.js";

const CHOICE = "koma.seen";
const wrapper = document.querySelector(".stage-wrap");
const chips = [...document.querySelectorAll("[data-seen]")];
const allChip = document.querySelector("[data-seen-all]");

const isPressed = (button) => button.getAttribute("aria-pressed") === "true";
const press = (button, on) => button.setAttribute("aria-pressed", String(on));

function chosenNames() {
  const names = readJson(localStorage, CHOICE);
  return new Set(Array.isArray(names) ? names : []);
}

function draw(names) {
  for (const chip of chips) {
    const on = names.has(chip.dataset.seenName);
    press(chip, on);
    wrapper.classList.toggle(`show-${chip.dataset.seen}`, on);
  }
  press(
    allChip,
    chips.every((chip) => names.has(chip.dataset.seenName)),
  );
}

function choose(names, list, on) {
  for (const chip of list) {
    if (on) names.add(chip.dataset.seenName);
    else names.delete(chip.dataset.seenName);
  }
  writeJson(localStorage, CHOICE, [...names]);
  draw(names);
}

if (wrapper && allChip) {
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-seen]");
    if (chip) choose(chosenNames(), [chip], !isPressed(chip));
    else if (event.target.closest("[data-seen-all]")) {
      choose(chosenNames(), chips, !isPressed(allChip));
    }
  });
  draw(chosenNames());
}
