// Naming clusters by keyboard: one row is current; its name field takes the typing, Enter names and goes to the next.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll("[data-cluster]")];
  const current = () => document.querySelector("[data-cluster][data-current]");
  const field = (row) => row && row.querySelector("input[name=name]");

  function choose(row, { focus = true } = {}) {
    rows().forEach((other) => {
      other.toggleAttribute("data-current", other === row);
    });
    if (!row) return;
    if (focus && field(row)) field(row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    document.dispatchEvent(new Event("koma:row"));
  }
  // The next row that nobody else is working on; where others have all of them, simply the next.
  function neighbour(row, step) {
    const list = rows();
    const way = list.slice(list.indexOf(row) + 1);
    if (step > 0) return way.find((one) => !one.hasAttribute("data-held")) || way[0];
    return list[list.indexOf(row) + step];
  }
  function count(row) {
    const out = row.querySelectorAll("input[name=out]:checked").length;
    const left = row.querySelector("[data-left]");
    if (!left) return;
    left.dataset.all = left.dataset.all || left.textContent;
    left.textContent = Number(left.dataset.all.replace(/\D/g, "")) - out;
    row.querySelector("[data-taken]").hidden = !out;
    row.querySelector("[data-taken-count]").textContent = out;
  }
  document.addEventListener("DOMContentLoaded", () => {
    if (matchMedia("(hover: hover)").matches) choose(rows()[0]);
  });
  document.addEventListener("focusin", (event) => {
    const row = event.target.closest("[data-cluster]");
    if (row && row !== current()) choose(row, { focus: false });
  });
  document.addEventListener("change", (event) => {
    const row = event.target.closest("[data-cluster]");
    if (row && event.target.name === "out") count(row);
  });
  document.addEventListener("click", (event) => {
    const row = event.target.closest("[data-cluster]");
    const guess = event.target.closest("[data-take-guess]");
    if (guess) {
      field(row).value = guess.dataset.takeGuess;
      field(row).dispatchEvent(new Event("input", { bubbles: true }));
      field(row).focus();
    }
    // Of loose faces a chip also chooses those that may be this person.
    const may = event.target.closest("[data-take-faces]");
    if (may) {
      const form = may.closest("form"),
        keys = new Set(may.dataset.takeFaces.split(" ")),
        name = form.querySelector("input[name=name]");
      for (const box of form.querySelectorAll("input[name=face]"))
        box.checked = keys.has(box.value.split(/\D/)[0]);
      name.value = may.dataset.name;
      name.dispatchEvent(new Event("input", { bubbles: true }));
      name.focus();
    }
    if (event.target.closest("[data-skip]")) choose(neighbour(row, 1) || row);
    const go = event.target.closest("[data-go]");
    if (go) choose(neighbour(current(), Number(go.dataset.go)) || current() || rows()[0]);
    const person = event.target.closest("[data-cast-name]");
    if (person && current()) {
      field(current()).value = person.dataset.castName;
      field(current()).dispatchEvent(new Event("input", { bubbles: true }));
      field(current()).focus();
    }
  });
  // Inside an empty name field the arrows change the row, the digits choose from the cast, S skips: nothing typed is lost.
  document.addEventListener("keydown", (event) => {
    const input = event.target.closest("[data-cluster] input[name=name]");
    if (!input || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = input.closest("[data-cluster]");
    if ((event.key === "ArrowDown" && !input.value) || (event.key === "ArrowUp" && !input.value)) {
      event.preventDefault();
      choose(neighbour(row, event.key === "ArrowDown" ? 1 : -1) || row);
    }
    if (event.key === "Enter" && !input.value.trim() && input.dataset.guess) {
      event.preventDefault();
      input.value = input.dataset.guess;
    }
    if (!input.value && /^[1-9]$/.test(event.key)) {
      const person = document.querySelector(`[data-cast-name][data-key="${event.key}"]`);
      if (person) {
        event.preventDefault();
        input.value = person.dataset.castName;
      }
    }
  });
  document.addEventListener("keydown", (event) => {
    if (
      event.target.matches("input:not([type=checkbox]), textarea, select") ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      event.defaultPrevented
    )
      return;
    const row = current();
    if (!row) return;
    if (event.key === "s") {
      event.preventDefault();
      choose(neighbour(row, 1) || row);
    }
    if (event.key === "n" && !row.querySelector("[data-taken]").hidden) {
      event.preventDefault();
      row.querySelector("[value=not_a_face]").click();
    }
    if (event.key === "Enter" && !event.target.closest("button, a")) {
      event.preventDefault();
      field(row).focus();
    }
  });
  // A row that was named shrinks to a line; the next one takes the focus. Never the wrong one: the answer names its row.
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const row = event.target.closest && event.target.closest("[data-cluster]");
    if (row && event.detail.successful) row.dataset.answered = "1";
  });
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    const row =
      event.detail.target &&
      event.detail.target.closest &&
      event.detail.target.closest("[data-cluster]");
    if (!row) return;
    const next = neighbour(row, 1) || neighbour(row, -1);
    const wasCurrent = row.hasAttribute("data-current");
    setTimeout(() => {
      const same = document.getElementById(row.id);
      const person = document.querySelector("[data-cluster][data-current]");
      if (wasCurrent && !person) choose(same && same.matches("[data-cluster]") ? same : next);
    }, 60);
  });
})();
