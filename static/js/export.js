// The export page: the result follows every control; chips are sorted by dragging or by their
// arrows; weights are log sliders; a tag of a caption opens its menu.
import { readJson, writeJson } from "./lib/json_storage.js";
import { fromSlider, toSlider } from "./lib/weights.js";

const WAIT_MS = 90;
const WITHOUT_RESULT = ["name", "recipe_name", "weights.csv"]; // fields that change nothing in it
const ADVANCED = "koma:export:advanced"; // whether the fold was left open
const form = document.getElementById("recipe");
const advanced = document.getElementById("advanced");
const tagMenu = document.getElementById("tag-menu");
let menuTag = null; // {url, index} of the tag whose menu was opened last
let timer = 0;
let draggedItem = null;

function refresh(wait = WAIT_MS) {
  clearTimeout(timer);
  timer = setTimeout(() => htmx.trigger("#result", "recipe"), wait);
}

function showPercent(range) {
  range.nextElementSibling.textContent = `${Math.round(range.value * 100)} %`;
}

const weightOf = (row) => row.querySelector("[type=number]");
const sliderOf = (row) => row.querySelector("[data-log]");
const patternOf = (row) => row.querySelector("[name='weight.pattern']");

function setSlider(row) {
  const value = toSlider(Number(weightOf(row).value));
  if (value !== null) sliderOf(row).value = value;
}

function showAll() {
  for (const range of form.querySelectorAll("[data-percent]")) showPercent(range);
  for (const row of form.querySelectorAll(".weight")) setSlider(row);
}

function addWeight(pattern) {
  advanced.open = true;
  const list = form.querySelector("[data-weights]");
  let row = [...list.children].find((other) => pattern && patternOf(other).value === pattern);
  if (!row) {
    list.append(document.getElementById("weight-row").content.cloneNode(true));
    row = list.lastElementChild;
    patternOf(row).value = pattern;
    setSlider(row);
  }
  (pattern ? sliderOf(row) : patternOf(row)).focus();
  row.scrollIntoView({ block: "nearest" });
}

function moveItem(button) {
  const item = button.closest("[data-item]");
  const isBack = Number(button.dataset.move) < 0;
  const other = isBack ? item.previousElementSibling : item.nextElementSibling;
  if (!other) return;
  if (isBack) other.before(item);
  else other.after(item);
  button.focus();
  refresh(0);
}

function dragOver(event) {
  const over = event.target.closest("[data-item]");
  if (!draggedItem || !over || over.parentElement !== draggedItem.parentElement) return;
  event.preventDefault();
  if (over === draggedItem) return;
  const area = over.getBoundingClientRect();
  const isColumn = over.parentElement.matches(".parts");
  const isAfter = isColumn
    ? event.clientY > area.top + area.height / 2
    : event.clientX > area.left + area.width / 2;
  if (isAfter) over.after(draggedItem);
  else over.before(draggedItem);
}

// Fixes beside a warning change their field, as a person would; without a script the form is sent.
function applySetting(button) {
  const [name, value] = button.value.split("=");
  const field = form.elements[name];
  if (field.type === "checkbox") field.checked = true;
  else field.value = value;
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

const tagsOf = (item) => [...item.querySelectorAll("[data-caption-tag]")];

async function openTagMenu(button) {
  const item = button.closest("[data-tag-menu]");
  const url = item.dataset.tagMenu;
  menuTag = { url, index: tagsOf(item).indexOf(button) };
  const query = new URLSearchParams({ tag: button.dataset.captionTag });
  // Without a delay: a key pressed within it would send the form past htmx, and load the page anew.
  await htmx.ajax("GET", `${url}?${query}`, { target: tagMenu, swap: "innerHTML settle:0ms" });
  if (!tagMenu.querySelector("button") || !button.isConnected) return;
  tagMenu.showPopover();
  const { left, bottom, top } = button.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = tagMenu;
  const hasRoom = bottom + offsetHeight + 8 < window.innerHeight;
  tagMenu.style.left = `${Math.max(8, Math.min(left, window.innerWidth - offsetWidth - 8))}px`;
  tagMenu.style.top = `${hasRoom ? bottom + 4 : Math.max(8, top - offsetHeight - 4)}px`;
  tagMenu.querySelector("button").focus();
}

// The captions were drawn anew: the keyboard goes on where the removed tag was.
function refocusTag() {
  if (!menuTag || document.activeElement !== document.body) return;
  const item = [...document.querySelectorAll("[data-tag-menu]")].find(
    (other) => other.dataset.tagMenu === menuTag.url,
  );
  if (!item) return;
  const tags = tagsOf(item);
  tags[Math.min(menuTag.index, tags.length - 1)]?.focus({ preventScroll: true });
  menuTag = null;
}

function listen() {
  if (readJson(localStorage, ADVANCED)) advanced.open = true;
  advanced.addEventListener("toggle", () => writeJson(localStorage, ADVANCED, advanced.open));
  // A wrong number in a closed fold would stop the form without a word.
  form.addEventListener(
    "invalid",
    ({ target }) => {
      for (
        let fold = target.closest("details");
        fold;
        fold = fold.parentElement.closest("details")
      ) {
        fold.open = true;
      }
    },
    true,
  );
  document.body.addEventListener("captions", () => tagMenu.hidePopover());
  document.getElementById("result").addEventListener("htmx:afterSettle", refocusTag);

  form.addEventListener("input", ({ target }) => {
    if (WITHOUT_RESULT.includes(target.name)) return;
    if (target.matches("[data-percent]")) showPercent(target);
    const row = target.closest(".weight");
    if (row && target.matches("[data-log]")) {
      weightOf(row).value = fromSlider(Number(target.value));
    } else if (row && target.type === "number") {
      setSlider(row);
    }
    if (target.name === "level") target.closest("li").classList.toggle("off", !target.checked);
    refresh();
  });
  form.addEventListener("koma:restored", () => {
    showAll();
    refresh();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("[data-add-weight]")) addWeight("");
    if (button.dataset.captionTag) openTagMenu(button);
    if (button.name === "set") {
      event.preventDefault();
      applySetting(button);
    }
    if (button.dataset.weigh) addWeight(button.dataset.weigh);
    if (button.matches("[data-drop]")) {
      button.closest(".weight").remove();
      refresh(0);
    }
    if (button.dataset.examples) {
      form.elements.examples.value = button.dataset.examples;
      refresh(0);
    }
    if (button.dataset.move) moveItem(button);
  });

  form.addEventListener("pointerdown", (event) => {
    // A slider inside a draggable chip would otherwise drag the chip.
    const item = event.target.closest("[data-item]");
    if (item) item.draggable = !event.target.closest("input, button, label");
  });
  form.addEventListener("dragstart", (event) => {
    draggedItem = event.target.closest("[data-item]");
    if (!draggedItem) return;
    draggedItem.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
  });
  form.addEventListener("dragover", dragOver);
  form.addEventListener("drop", (event) => {
    if (draggedItem) event.preventDefault();
  });
  form.addEventListener("dragend", () => {
    if (!draggedItem) return;
    draggedItem.classList.remove("dragged");
    draggedItem = null;
    refresh(0);
  });
}

if (form) {
  showAll();
  listen();
}
