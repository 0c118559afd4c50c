// What a pressed key means. Events and elements come in; nothing is changed.

const LABELS = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  Enter: "↵",
  " ": "Space",
  Space: "Space",
  Arrows: "← ↑ ↓ →",
  Escape: "Esc",
  Delete: "Del",
  Backspace: "Backspace",
  "Ctrl+z": "Ctrl+Z",
};
// Steps through a grid: by arrows, or as in vi.
const SIDEWAYS = { ArrowRight: 1, l: 1, ArrowLeft: -1, h: -1 };
const BY_ROW = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };

export const hasModifier = (event) => event.ctrlKey || event.metaKey || event.altKey;

// Whether letters typed into this element are text. Boxes and sliders take no letters.
export function isTextField({ tagName, type, isContentEditable }) {
  if (isContentEditable) return true;
  if (!/^(INPUT|TEXTAREA|SELECT)$/.test(tagName)) return false;
  return !/^(checkbox|radio|range|button|submit)$/.test(type);
}

// Whether arrows and letters belong to this element: any field but a checkbox.
export function usesKeysItself({ tagName, type }) {
  return /^(INPUT|TEXTAREA|SELECT)$/.test(tagName) && type !== "checkbox";
}

// Ctrl+Z, on a Mac also Cmd+Z.
function isUndo({ key, ctrlKey, metaKey, altKey, shiftKey }) {
  return (ctrlKey || metaKey) && !altKey && !shiftKey && key.toLowerCase() === "z";
}

// Whether the browser's own undo has something to take back here: a field that holds text or held
// some.
function holdsText(field) {
  return (
    isTextField(field) && Boolean(field.value || field.defaultValue || field.isContentEditable)
  );
}

export const keyLabel = (key) => LABELS[key] || key.toUpperCase();

// What the page does with a key: {action: "leave-field"}, {action: "press", key} (a control with
// this data-key; "Ctrl+z" is the only one with a modifier), or null: nothing, because a field, a dialog, an input method or the browser takes
// it.
export function pageAction(event, { dialogIsOpen }) {
  if (event.defaultPrevented || event.isComposing) return null;
  if (isUndo(event)) {
    const isTaken = dialogIsOpen || holdsText(event.target);
    return isTaken ? null : { action: "press", key: "Ctrl+z" };
  }
  if (hasModifier(event)) return null;
  if (isTextField(event.target)) return event.key === "Escape" ? { action: "leave-field" } : null;
  if (dialogIsOpen) return null;
  if (event.repeat && event.key === "Enter") return null; // held since the page before
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pressesFocused = key === "Enter" || key === " ";
  // Enter and Space on a focused control press that control, as everywhere.
  if (pressesFocused && event.target.closest("a, button, summary, input, label")) return null;
  return { action: "press", key };
}

// The index that a key leads to in a grid of `length` items, `perRow` to a row; null for other
// keys. An index of -1 is none yet: any step leads to the first item.
export function gridTarget(key, { index, perRow, length }) {
  const step = SIDEWAYS[key] ?? (BY_ROW[key] === undefined ? undefined : BY_ROW[key] * perRow);
  if (step === undefined) return null;
  return index < 0 ? 0 : Math.min(length - 1, Math.max(0, index + step));
}
