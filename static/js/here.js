// Who else looks at this page, and on the faces page which rows others are working on. Names are set as text.
"use strict";
(() => {
  const line = document.querySelector("[data-here]");
  if (!line) return;
  const EVERY_MS = 15000;
  const ACTIVE_MS = 120000; // a row that nobody touched for two minutes is let go
  const { here: address, place } = line.dataset;
  let active = 0; // when this person last did something in the current row
  let asking = null;

  const row = () => document.querySelector("[data-cluster][data-current]");
  const idOf = (node) => node.id.replace("cluster", "");
  const claim = () => (row() && Date.now() - active < ACTIVE_MS ? idOf(row()) : "");
  function body(more) {
    const data = new FormData();
    data.append(
      "csrfmiddlewaretoken",
      JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"],
    );
    data.append("place", place);
    for (const [name, value] of Object.entries(more)) data.append(name, value);
    return data;
  }
  function draw({ people, held }) {
    line.textContent = people.length
      ? `${people.join(", ")} ${people.length === 1 ? "is" : "are"} here too`
      : "";
    for (const node of document.querySelectorAll("[data-cluster]")) {
      const who = held[idOf(node)];
      node.toggleAttribute("data-held", Boolean(who));
      let mark = node.querySelector(".held");
      if (!who) {
        if (mark) mark.remove();
        continue;
      }
      if (!mark) {
        mark = document.createElement("p");
        mark.className = "held small";
        (node.querySelector(".who") || node).prepend(mark);
      }
      mark.textContent = `${who} is naming this`;
    }
    const next = document.querySelector("[data-go='1']");
    if (!active && next && row() && row().hasAttribute("data-held")) next.click(); // begin where nobody is
  }
  async function ask() {
    if (document.hidden) return;
    if (asking) asking.abort();
    asking = new AbortController();
    try {
      const answer = await fetch(address, {
        method: "POST",
        body: body({ claim: claim() }),
        redirect: "error",
        signal: asking.signal,
      });
      if (answer.ok) draw(await answer.json());
    } catch {
      /* the next one will do */
    }
  }
  let soon = 0;
  const tell = () => {
    clearTimeout(soon);
    soon = setTimeout(ask, 250);
  };
  let last = "";
  function touched() {
    active = Date.now();
    if (claim() !== last) {
      last = claim();
      tell();
    }
  }
  for (const happening of ["input", "keydown", "pointerdown"])
    document.addEventListener(happening, (event) => {
      if (event.target.closest && event.target.closest("[data-cluster]")) setTimeout(touched);
    });
  document.addEventListener("koma:row", () => {
    if (active) touched();
  }); // the next row took the focus
  document.body.addEventListener("htmx:afterSwap", tell);
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) ask();
  });
  addEventListener("pagehide", () => navigator.sendBeacon(address, body({ leave: "1" })));
  addEventListener("pageshow", (event) => {
    if (event.persisted) ask();
  });
  setInterval(ask, EVERY_MS);
  ask();
})();
