// One listener for all keys. A control with data-key="n" is clicked (or focused:
// data-key-do="focus") when n is pressed. Letter keys rest while a text field has the focus, while
// an input method composes, and with Ctrl, Meta or Alt. A hidden element with data-key and data-help
// is no control: it tells the list of shortcuts of a key that another script listens to; with
// data-key-label instead of several keys.
import { keyLabel, pageAction } from "./lib/keyboard.js";

const isShown = (node) =>
  node.classList.contains("visually-hidden") ||
  node.getClientRects().length > 0 ||
  node.closest("details.menu");

// Of several controls with this key that of the current row, else the first.
function controlFor(key) {
  const controls = [...document.querySelectorAll("[data-key]")].filter(
    (node) => node.dataset.key.split(",").includes(key) && !node.disabled && isShown(node),
  );
  return controls.find((node) => node.closest("[data-current]")) || controls[0];
}

document.addEventListener("keydown", (event) => {
  const dialogIsOpen = document.querySelector("dialog[open]") !== null;
  const decision = pageAction(event, { dialogIsOpen });
  if (!decision) return;
  if (decision.action === "leave-field") {
    event.target.blur();
    return;
  }
  const control = controlFor(decision.key);
  if (!control) return;
  event.preventDefault();
  if (control.dataset.keyDo === "focus") {
    control.focus();
    if (control.select) control.select();
  } else {
    control.click();
  }
});

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) {
    const dialog = document.querySelector(opener.dataset.open);
    if (dialog.id === "help") listKeys(dialog.querySelector("[data-keys]"));
    dialog.showModal();
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

function listKeys(list) {
  const listed = new Set();
  list.replaceChildren();
  for (const node of document.querySelectorAll(":is([data-key], [data-key-label])[data-help]")) {
    const { key: own, keyLabel: several } = node.dataset;
    if (listed.has(own || several)) continue;
    listed.add(own || several);
    const keys = document.createElement("span");
    for (const label of several ? [several] : own.split(",").map(keyLabel)) {
      const cap = document.createElement("kbd");
      cap.textContent = label;
      keys.append(cap, " ");
    }
    const help = document.createElement("span");
    help.textContent = node.dataset.help;
    list.append(keys, help);
  }
}
