// Who else is on this page, and on the faces page which rows others are working on. Names are set
// as text.

const EVERY_MS = 15000;
const SOON_MS = 250;
const ACTIVE_MS = 120000; // a row that nobody touched for two minutes is released
const line = document.querySelector("[data-here]");
let activeAt = 0; // when this person last did something in the current row
let lastClaim = "";
let request = null;
let timer = 0;

const currentRow = () => document.querySelector("[data-cluster][data-current]");
const clusterOf = (row) => row.id.replace("cluster", "");

// The cluster that this person is working on, or "".
function claim() {
  const row = currentRow();
  return row && Date.now() - activeAt < ACTIVE_MS ? clusterOf(row) : "";
}

function bodyWith(fields) {
  const data = new FormData();
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  data.append("csrfmiddlewaretoken", headers["X-CSRFToken"]);
  data.append("place", line.dataset.place);
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  return data;
}

function drawHolder(row, person) {
  row.toggleAttribute("data-held", Boolean(person));
  let note = row.querySelector(".held");
  if (!person) {
    if (note) note.remove();
    return;
  }
  if (!note) {
    note = document.createElement("p");
    note.className = "held small";
    (row.querySelector(".who") || row).prepend(note);
  }
  note.textContent = `${person} is naming this`;
}

// `people`: names; `held`: cluster -> name of the person who works on it.
function draw({ people, held }) {
  line.hidden = !people.length;
  const names = people.join(", ");
  line.textContent = people.length ? `${names} ${people.length === 1 ? "is" : "are"} here too` : "";
  for (const row of document.querySelectorAll("[data-cluster]")) {
    drawHolder(row, held[clusterOf(row)]);
  }
  const isHeld = currentRow()?.hasAttribute("data-held");
  if (!activeAt && isHeld) document.dispatchEvent(new Event("koma:skip")); // begin where nobody is
}

async function ask() {
  if (document.hidden) return;
  if (request) request.abort();
  request = new AbortController();
  try {
    const response = await fetch(line.dataset.here, {
      method: "POST",
      body: bodyWith({ claim: claim() }),
      redirect: "error",
      signal: request.signal,
    });
    if (response.ok) draw(await response.json());
  } catch {
    /* the next one will do */
  }
}

function askSoon() {
  clearTimeout(timer);
  timer = setTimeout(ask, SOON_MS);
}

function touch() {
  activeAt = Date.now();
  if (claim() === lastClaim) return;
  lastClaim = claim();
  askSoon();
}

function listen() {
  for (const type of ["input", "keydown", "pointerdown"]) {
    document.addEventListener(type, ({ target }) => {
      if (target.closest?.("[data-cluster]")) setTimeout(touch);
    });
  }
  // The next row took the focus.
  document.addEventListener("koma:row", () => {
    if (activeAt) touch();
  });
  document.body.addEventListener("htmx:afterSwap", askSoon);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  addEventListener("pagehide", () => {
    navigator.sendBeacon(line.dataset.here, bodyWith({ leave: "1" }));
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) ask();
  });
  setInterval(ask, EVERY_MS);
  ask();
}

if (line) listen();
