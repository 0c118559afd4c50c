// Under which keys drafts of fields are stored: by page, the form's address, and the field in it.

// `index` counts fields of the same name in the form, `place` is what a person calls the field
// (where many forms are alike).
export function draftKey(prefix, { page, action, name, index, place }) {
  return `${prefix}${page}|${action}|${name}|${index}|${place}`;
}

export function partsOf(key) {
  const [, action, name] = key.split("|");
  return { action, name };
}
