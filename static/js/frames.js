// Selection on the frames grid: click the corner, shift for a range, drag over tiles, keys; the action bar follows.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const grid = document.querySelector("[data-tiles]");
  const size = document.querySelector("[data-size]");
  if (size) {
    size.value = localStorage.getItem("koma-tile") || size.value;
    const apply = () => {
      document.documentElement.style.setProperty("--tile", `${size.value}px`);
      localStorage.setItem("koma-tile", size.value);
    };
    size.addEventListener("input", apply);
    apply();
  }
  if (!grid) return;
  const form = grid.closest("form");
  const bar = form.querySelector("[data-actions]");
  const tiles = () => [...grid.querySelectorAll(".tile")];
  const box = (tile) => tile.querySelector("input[type=checkbox]");
  let anchor = null;
  let current = null;

  function refresh() {
    const n = grid.querySelectorAll("input:checked").length;
    tiles().forEach((tile) => tile.classList.toggle("selected", box(tile).checked));
    if (bar) {
      const all = bar.querySelector("[data-all]");
      if (!n) all.checked = false;
      bar.hidden = !n;
      bar.querySelector("[data-count]").textContent = n;
    }
  }
  function range(from, to, on) {
    const list = tiles();
    const [a, b] = [list.indexOf(from), list.indexOf(to)].sort((x, y) => x - y);
    list.slice(Math.max(a, 0), b + 1).forEach((tile) => {
      box(tile).checked = on;
    });
  }
  function go(tile) {
    if (!tile) return;
    if (current) current.classList.remove("current");
    current = tile;
    tile.classList.add("current");
    tile.scrollIntoView({ block: "nearest" });
    tile.querySelector("a").focus({ preventScroll: true });
  }
  grid.addEventListener("click", (event) => {
    const tile = event.target.closest(".tile");
    if (!tile) return;
    if (event.target.closest(".pick")) {
      if (event.target.matches("input")) {
        if (event.shiftKey && anchor) range(anchor, tile, box(tile).checked);
        anchor = tile;
        refresh();
      }
    } else if (
      event.target.closest("a") &&
      !event.target.closest(".badge") &&
      (event.shiftKey || event.ctrlKey || event.metaKey || grid.dataset.dragged)
    ) {
      event.preventDefault();
      delete grid.dataset.dragged;
      if (event.shiftKey && anchor) range(anchor, tile, true);
      else box(tile).checked = !box(tile).checked;
      anchor = tile;
      refresh();
    }
  });
  // Drag from one tile over others selects them; the mouse only, a finger scrolls.
  let drag = null;
  grid.addEventListener("dragstart", (event) => event.preventDefault());
  grid.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && event.button === 0 && !event.target.closest(".pick"))
      drag = event.target.closest(".tile");
  });
  grid.addEventListener("pointerover", (event) => {
    const tile = event.target.closest(".tile");
    if (!drag || !tile || (tile === drag && !grid.dataset.dragged)) return;
    grid.dataset.dragged = "1";
    range(drag, tile, true);
    refresh();
  });
  window.addEventListener("pointerup", () => {
    drag = null;
    setTimeout(() => delete grid.dataset.dragged);
  });
  form.addEventListener("change", refresh);
  form.addEventListener("click", (event) => {
    if (event.target.closest("[data-none]")) {
      grid.querySelectorAll("input:checked").forEach((input) => {
        input.checked = false;
      });
      refresh();
    }
  });
  document.body.addEventListener("htmx:oobAfterSwap", refresh);
  document.body.addEventListener("htmx:afterSwap", refresh);
  document.addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== "checkbox")
    )
      return;
    const list = tiles();
    const at = list.indexOf(
      current && current.isConnected ? current : document.getElementById(current ? current.id : ""),
    );
    const perRow =
      list.filter((tile) => tile.offsetTop === (list[Math.max(at, 0)] || {}).offsetTop).length || 1;
    const step = {
      ArrowRight: 1,
      l: 1,
      ArrowLeft: -1,
      h: -1,
      ArrowDown: perRow,
      j: perRow,
      ArrowUp: -perRow,
      k: -perRow,
    }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      go(list[Math.min(list.length - 1, Math.max(0, at < 0 ? 0 : at + step))]);
    }
    if (event.key === "x" && at >= 0) {
      event.preventDefault();
      box(list[at]).checked = !box(list[at]).checked;
      anchor = list[at];
      refresh();
    }
    if (event.key === "Enter" && at >= 0 && event.target.closest(".tile")) {
      event.preventDefault();
      list[at].querySelector("a").click();
    }
  });
  refresh();
});
