// One listener for all keys. A control with data-key="n" is clicked (or focused: data-key-do="focus") when n is pressed.
// Letter keys rest while a text field has the focus, while an input method composes, and with Ctrl, Meta or Alt.
"use strict";
(() => {
  const typing = (node) =>
    node &&
    (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName)) &&
    !/^(checkbox|radio|range|button|submit)$/.test(node.type);
  const shown = (node) =>
    node.classList.contains("visually-hidden") ||
    node.getClientRects().length > 0 ||
    node.closest("details.menu");
  const names = {
    ArrowUp: "↑",
    ArrowDown: "↓",
    ArrowLeft: "←",
    ArrowRight: "→",
    Enter: "↵",
    " ": "Space",
    Escape: "Esc",
  };

  document.addEventListener("keydown", (event) => {
    if (
      event.defaultPrevented ||
      event.isComposing ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey
    )
      return;
    const open = document.querySelector("dialog[open]");
    if (typing(event.target)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (open) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    // Enter and Space on a focused control press that control, as everywhere.
    if (
      (key === "Enter" || key === " ") &&
      event.target.closest("a, button, summary, input, label")
    )
      return;
    const found = [...document.querySelectorAll("[data-key]")].filter(
      (node) => node.dataset.key.split(",").includes(key) && !node.disabled && shown(node),
    );
    const target = found.find((node) => node.closest("[data-current]")) || found[0];
    if (!target) return;
    event.preventDefault();
    if (target.dataset.keyDo === "focus") {
      target.focus();
      if (target.select) target.select();
    } else target.click();
  });

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-open]");
    if (opener) {
      const dialog = document.querySelector(opener.dataset.open);
      if (dialog.id === "help") fill(dialog.querySelector("[data-keys]"));
      dialog.showModal();
    }
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  function fill(list) {
    const seen = new Set();
    list.replaceChildren();
    document.querySelectorAll("[data-key][data-help]").forEach((node) => {
      if (seen.has(node.dataset.key)) return;
      seen.add(node.dataset.key);
      const keys = document.createElement("span");
      node.dataset.key.split(",").forEach((key) => {
        const cap = document.createElement("kbd");
        cap.textContent = names[key] || key.toUpperCase();
        keys.append(cap, " ");
      });
      const words = document.createElement("span");
      words.textContent = node.dataset.help;
      list.append(keys, words);
    });
  }
})();
