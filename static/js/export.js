// The export page: the result follows every control; chips are sorted by dragging or by their
// arrows; weights are log sliders.
import { fromSlider, toSlider } from "./lib/weights.js";

const WAIT_MS = 90;
const WITHOUT_RESULT = ["name", "recipe_name", "weights.csv"]; // fields that change nothing in it
const form = document.getElementById("recipe");
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

function listen() {
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
