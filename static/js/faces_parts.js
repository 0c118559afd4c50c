// What the faces page gets from the server: more groups, what an undo brought back, and the list of
// faces in no group.
import { container, crops, faceOf, loose } from "./faces_dom.js";
import { askForSuggestions, showLooseSuggestions } from "./faces_suggestions.js";

export const sentFaces = new Set(); // keys of loose faces whose answer is on its way

// Show the loose faces that wait for an answer; without any the section goes.
export function showLooseFaces() {
  for (const checkbox of loose.querySelectorAll("input[name=face]")) {
    checkbox.closest(".crop").hidden = sentFaces.has(faceOf(checkbox));
  }
  loose.hidden = !crops(loose).length && !sentFaces.size;
  showLooseSuggestions();
}

async function fetchPart(query) {
  const response = await fetch(`${location.pathname}${query}`, {
    headers: { "HX-Request": "true" },
  });
  if (!response.ok || response.redirected) throw new Error(`status ${response.status}`);
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

function putPart(part, id) {
  const fresh = part.getElementById(id);
  const old = document.getElementById(id);
  if (fresh && old) old.replaceWith(document.adoptNode(fresh));
}

let loading = null;

// Load the next groups; promises whether there were any.
export function loadMore() {
  const pager = document.querySelector("[data-more]");
  if (!pager) return Promise.resolve(false);
  loading ||= appendRows(pager).finally(() => {
    loading = null;
  });
  return loading;
}

async function appendRows(pager) {
  let part;
  try {
    part = await fetchPart(pager.dataset.more);
  } catch {
    return false; // the link is still there
  }
  const fresh = [...part.querySelectorAll("[data-cluster]")].filter(
    (row) => !document.getElementById(row.id),
  );
  pager.before(...fresh.map((row) => document.adoptNode(row)));
  const next = part.querySelector("[data-more]");
  if (next) {
    pager.replaceWith(document.adoptNode(next));
    watch();
  } else {
    pager.remove();
    swapLoose(part);
  }
  askForSuggestions();
  return fresh.length > 0;
}

// An undo: the rows that came back stand where they were; promises them.
export async function showUndone(operation) {
  const part = await fetchPart(`?undone=${operation}`);
  if (part.querySelector("[data-reload]")) throw new Error("more than one page came back");
  for (const gone of part.querySelectorAll("[data-gone]")) {
    document.getElementById(gone.dataset.gone)?.remove();
  }
  const back = [...part.querySelectorAll("[data-cluster]")].map((row) => document.adoptNode(row));
  for (const row of back) {
    const old = document.getElementById(row.id);
    if (old) old.replaceWith(row);
    else container.prepend(row);
  }
  for (const id of ["cast", "summary", "suggest", "all-named"]) putPart(part, id);
  if (!document.querySelector("[data-more]")) swapLoose(part);
  askForSuggestions({ anew: true });
  return back;
}

const chosenFaces = () =>
  new Set(
    crops(loose)
      .filter(({ checked }) => checked)
      .map(faceOf),
  );

// The list of loose faces anew; what was chosen in it stays chosen.
function swapLoose(part) {
  const chosen = chosenFaces();
  putPart(part, "loose-list");
  redrawLoose(chosen);
}

function redrawLoose(chosen) {
  for (const checkbox of loose.querySelectorAll("input[name=face]")) {
    checkbox.checked = chosen.has(faceOf(checkbox));
  }
  showLooseFaces();
}

let chosenBefore = new Set();
document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  if (detail.target.id === "loose-list") chosenBefore = chosenFaces();
});
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.id === "loose-list") redrawLoose(chosenBefore);
});

// Groups are loaded as one comes near the end of the page.
const observer = new IntersectionObserver(
  (entries) => {
    if (entries.some(({ isIntersecting }) => isIntersecting)) loadMore();
  },
  { rootMargin: "1200px" },
);
export function watch() {
  observer.disconnect();
  const pager = document.querySelector("[data-more]");
  if (pager) observer.observe(pager);
}
