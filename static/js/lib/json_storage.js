// JSON in the browser's storage (localStorage, sessionStorage or anything with getItem and
// setItem).

export function readJson(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

export function writeJson(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    /* a full or private storage keeps nothing */
  }
}

// The keys of entries to remove: those older than `maxAge` milliseconds, and the oldest beyond
// `maxCount`. An entry is {key, at} with the time it was written, in milliseconds; one without a
// time is the oldest.
export function outdatedKeys(entries, { now, maxAge, maxCount }) {
  return entries
    .toSorted((first, second) => (second.at || 0) - (first.at || 0))
    .filter(({ at }, index) => index >= maxCount || now - (at || 0) > maxAge)
    .map(({ key }) => key);
}
