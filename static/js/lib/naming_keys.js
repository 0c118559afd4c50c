// The keys of the faces page. All of them work in an empty name field, since that has the focus.

const EVERYWHERE = {
  ArrowDown: "next",
  ArrowUp: "previous",
  "-": "nobody",
  Delete: "not-faces",
};
const LETTERS = { j: "next", k: "previous" }; // where none are typed
const BY_PLACE = {
  field: { ArrowRight: "faces", "?": "help", "/": "search" },
  crop: {
    ArrowRight: "next-face",
    ArrowLeft: "previous-face",
    Enter: "name",
    Escape: "name",
    ...LETTERS,
  },
  page: { Enter: "name", ...LETTERS },
};

// What a key does where the focus is: in a name "field" that holds `text`, on a face's "crop", or
// elsewhere on the "page". Null where the key is not ours: text is typed, composed or edited.
export function namingAction({ key, isComposing, ctrlKey, metaKey, altKey }, { place, text = "" }) {
  if (isComposing || ctrlKey || metaKey || altKey) return null;
  if (place === "field" && text) return null;
  return BY_PLACE[place][key] || EVERYWHERE[key] || null;
}
