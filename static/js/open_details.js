// A part of the page that asks for itself anew closes what was opened in it: opened again by its id.

const openIn = (part) => [...part.querySelectorAll("details[id][open]")].map(({ id }) => id);

document.body.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const ids = openIn(detail.target);
  if (!ids.length) return;
  const reopen = () => {
    for (const id of ids) document.getElementById(id)?.setAttribute("open", "");
  };
  document.body.addEventListener("htmx:afterSwap", reopen, { once: true });
});
