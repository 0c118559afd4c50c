// What models saw in the frame: shown by kind or all at once. The choice is kept by name, so that it holds on the next
// frame; it sits on the wrapper, which stays when the boxes inside are drawn anew.
"use strict";
(() => {
  const KEPT = "koma.seen";
  const wrap = document.querySelector(".stage-wrap");
  const chips = [...document.querySelectorAll("[data-seen]")];
  const all = document.querySelector("[data-seen-all]");
  if (!wrap || !all) return;
  const read = () => {
    try {
      const names = JSON.parse(localStorage.getItem(KEPT));
      return new Set(Array.isArray(names) ? names : []);
    } catch {
      return new Set();
    }
  };
  const keep = (names) => {
    try {
      localStorage.setItem(KEPT, JSON.stringify([...names]));
    } catch {
      /* a private window keeps nothing */
    }
  };
  function draw(names) {
    chips.forEach((chip) => {
      const on = names.has(chip.dataset.seenName);
      chip.setAttribute("aria-pressed", String(on));
      wrap.classList.toggle(`show-${chip.dataset.seen}`, on);
    });
    all.setAttribute(
      "aria-pressed",
      String(chips.every((chip) => names.has(chip.dataset.seenName))),
    );
  }
  document.addEventListener("click", (event) => {
    const chip = event.target.closest("[data-seen]");
    if (!chip && !event.target.closest("[data-seen-all]")) return;
    const names = read();
    const set = (one, on) =>
      on ? names.add(one.dataset.seenName) : names.delete(one.dataset.seenName);
    if (chip) set(chip, chip.getAttribute("aria-pressed") !== "true");
    else {
      const on = all.getAttribute("aria-pressed") !== "true";
      chips.forEach((one) => set(one, on));
    }
    keep(names);
    draw(names);
  });
  draw(read());
})();
