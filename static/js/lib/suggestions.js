// Names that are suggested on the faces page: what is shown of them, and in which order rows follow.

export const SURE = 0.8; // rows with such a suggestion come first: Enter after Enter names them
const TIERS = { sure: 0, likely: 1, unknown: 2 };

// Rows are sorted by three steps of confidence, not by the number itself: they move seldom.
export function tierOf(confidence) {
  if (!confidence) return TIERS.unknown;
  return confidence >= SURE ? TIERS.sure : TIERS.likely;
}

// The rows in their new order. Those up to the last pinned one stay where they are, and so do equals
// among each other.
export function inOrder(rows, { isPinned, confidenceOf }) {
  const fixed = rows.findLastIndex(isPinned) + 1;
  const tail = rows
    .slice(fixed)
    .toSorted((first, second) => tierOf(confidenceOf(first)) - tierOf(confidenceOf(second)));
  return [...rows.slice(0, fixed), ...tail];
}

// The keys of at most `most` rows to ask about: those from the current one on, then those before it.
export function keysToAsk(keys, { current, most }) {
  const index = Math.max(keys.indexOf(current), 0);
  return [...keys.slice(index), ...keys.slice(0, index)].slice(0, most);
}

// Whether a new suggestion has to wait: nothing that Enter takes may change in the row that has the
// focus. One that appears there changes nothing.
export const mustWait = ({ before, isCurrent }) => isCurrent && Boolean(before);

export const wordsOf = ({ name, confidence }) => `Probably ${name} (${confidence.toFixed(2)})`;

// Single faces by the name that is suggested for them: [{name, faces}], the most faces first.
// `suggestions` is a Map of faces to {name, confidence} or null.
export function byName(suggestions) {
  const faces = new Map();
  for (const [face, suggestion] of suggestions) {
    if (suggestion) faces.set(suggestion.name, [...(faces.get(suggestion.name) || []), face]);
  }
  return [...faces]
    .map(([name, named]) => ({ name, faces: named }))
    .toSorted((first, second) => second.faces.length - first.faces.length);
}

// The one name that is suggested for all of these faces, or "".
export function commonName(faces, suggestions) {
  const names = new Set(faces.map((face) => suggestions.get(face)?.name || ""));
  return names.size === 1 ? [...names][0] : "";
}

// What is read aloud, once for an answer of the server.
export function announcement({ current, count }) {
  if (current) return `${wordsOf(current)}. Enter takes it.`;
  if (!count) return "";
  return count === 1 ? "1 group has a suggested name." : `${count} groups have a suggested name.`;
}
