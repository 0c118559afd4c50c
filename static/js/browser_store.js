// What this browser keeps for this person, under keys that begin with one of these.
import { outdatedKeys, readJson } from "./lib/json_storage.js";

const MAX_AGE_MS = 14 * 24 * 3600 * 1000;
const MAX_COUNT = 300; // of either kind

// Undefined before the login: then nothing is stored.
export const { user } = document.body.dataset;
export const DRAFT = `koma.draft:${user}:`;
export const UNSENT = `koma.unsent:${user}:`;
export const SENT = `koma.sent:${user}`;

export function keysWith(prefix) {
  return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
}

export function removeOutdated() {
  for (const prefix of [DRAFT, UNSENT]) {
    const entries = keysWith(prefix).map((key) => ({ key, at: readJson(localStorage, key)?.at }));
    const limits = { now: Date.now(), maxAge: MAX_AGE_MS, maxCount: MAX_COUNT };
    for (const key of outdatedKeys(entries, limits)) localStorage.removeItem(key);
  }
}
