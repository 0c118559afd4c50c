// Selection on the frames grid: click the corner, shift for a range, drag over tiles, keys; the
// action bar follows.
import { gridTarget, hasModifier, usesKeysItself } from "./lib/keyboard.js";
import { itemsBetween } from "./lib/lists.js";

const TILE_SIZE = "koma-tile";

const checkboxOf = (tile) => tile.querySelector("input[type=checkbox]");

function toggle(tile) {
  const checkbox = checkboxOf(tile);
  checkbox.checked = !checkbox.checked;
}

function followTileSize(slider) {
  const apply = () => {
    document.documentElement.style.setProperty("--tile", `${slider.value}px`);
    localStorage.setItem(TILE_SIZE, slider.value);
  };
  slider.value = localStorage.getItem(TILE_SIZE) || slider.value;
  slider.addEventListener("input", apply);
  apply();
}

function listen(grid) {
  const form = grid.closest("form");
  const bar = form.querySelector("[data-actions]");
  const tiles = () => [...grid.querySelectorAll(".tile")];
  let anchor = null; // where a range begins
  let current = null; // the tile that keys act on
  let dragStart = null;
  let hasDragged = false;

  function refresh() {
    const selected = grid.querySelectorAll("input:checked").length;
    for (const tile of tiles()) tile.classList.toggle("selected", checkboxOf(tile).checked);
    if (!bar) return;
    if (!selected) bar.querySelector("[data-all]").checked = false;
    bar.hidden = !selected;
    bar.querySelector("[data-count]").textContent = selected;
  }

  function selectRange(first, last, on) {
    for (const tile of itemsBetween(tiles(), first, last)) checkboxOf(tile).checked = on;
  }

  function makeCurrent(tile) {
    if (!tile) return;
    if (current) current.classList.remove("current");
    current = tile;
    tile.classList.add("current");
    tile.scrollIntoView({ block: "nearest" });
    tile.querySelector("a").focus({ preventScroll: true });
  }

  // Also where a response has drawn the tile anew.
  function currentIndex(list) {
    if (!current) return -1;
    return list.indexOf(current.isConnected ? current : document.getElementById(current.id));
  }

  function pick(event, tile) {
    if (!event.target.matches("input")) return;
    if (event.shiftKey && anchor) selectRange(anchor, tile, checkboxOf(tile).checked);
    anchor = tile;
    refresh();
  }

  // A link opens its frame, except with Shift, Ctrl or after a drag: then the tile is selected.
  function selectInstead(event, tile) {
    const isLink = event.target.closest("a") && !event.target.closest(".badge");
    const isMeant = event.shiftKey || event.ctrlKey || event.metaKey || hasDragged;
    if (!isLink || !isMeant) return;
    event.preventDefault();
    hasDragged = false;
    if (event.shiftKey && anchor) selectRange(anchor, tile, true);
    else toggle(tile);
    anchor = tile;
    refresh();
  }

  grid.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    if (event.target.closest(".pick")) pick(event, tile);
    else selectInstead(event, tile);
  });

  // Drag from one tile over others selects them; the mouse only, a finger scrolls.
  grid.addEventListener("dragstart", (event) => event.preventDefault());
  grid.addEventListener("pointerdown", (event) => {
    const isMouse = event.pointerType === "mouse" && event.button === 0;
    if (isMouse && !event.target.closest(".pick")) dragStart = event.target.closest(".tile");
  });
  grid.addEventListener("pointerover", (event) => {
    const tile = event.target.closest(".tile");
    if (!dragStart || !tile || (tile === dragStart && !hasDragged)) return;
    hasDragged = true;
    selectRange(dragStart, tile, true);
    refresh();
  });
  window.addEventListener("pointerup", () => {
    dragStart = null;
    // After the click that follows.
    setTimeout(() => {
      hasDragged = false;
    });
  });

  form.addEventListener("change", refresh);
  form.addEventListener("click", (event) => {
    if (!event.target.closest("[data-none]")) return;
    for (const checkbox of grid.querySelectorAll("input:checked")) checkbox.checked = false;
    refresh();
  });
  document.body.addEventListener("htmx:oobAfterSwap", refresh);
  document.body.addEventListener("htmx:afterSwap", refresh);

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || hasModifier(event) || usesKeysItself(event.target)) return;
    const list = tiles();
    const index = currentIndex(list);
    const top = list[Math.max(index, 0)]?.offsetTop;
    const perRow = list.filter((tile) => tile.offsetTop === top).length || 1;
    const target = gridTarget(event.key, { index, perRow, length: list.length });
    if (target !== null) {
      event.preventDefault();
      if (event.shiftKey && index >= 0) {
        selectRange(list[index], list[target], true);
        anchor = list[target];
        refresh();
      }
      makeCurrent(list[target]);
    }
    if (index < 0) return;
    if (event.key === "x") {
      event.preventDefault();
      toggle(list[index]);
      anchor = list[index];
      refresh();
    }
    if (event.key === "Enter" && event.target.closest(".tile")) {
      event.preventDefault();
      list[index].querySelector("a").click();
    }
  });
  refresh();
}

const sizeSlider = document.querySelector("[data-size]");
const grid = document.querySelector("[data-tiles]");
if (sizeSlider) followTileSize(sizeSlider);
// Once the browser has put back what was chosen.
if (grid) document.addEventListener("DOMContentLoaded", () => listen(grid));
