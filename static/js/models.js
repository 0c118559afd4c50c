// A model that the address names may be among those that are folded away.

function unfold() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id ? document.getElementById(id) : null;
  const folded = target?.closest("details.others");
  if (!folded || folded.open) return;
  folded.open = true;
  target.scrollIntoView({ block: "start" });
}

addEventListener("hashchange", unfold);
unfold();
