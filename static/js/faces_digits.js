// Whom the digits mean on the faces page.
import { meaning } from "./lib/cast_keys.js";

function personOf(member) {
  return { name: member.dataset.castName, portrait: member.querySelector("img")?.src };
}

// The persons that have a key, by digit.
export function cast() {
  const members = document.querySelectorAll("#cast [data-cast-name][data-key]");
  return new Map([...members].map((member) => [member.dataset.key, personOf(member)]));
}

// Whom a typed digit means, beside the field and before Enter.
export function showMeaning(field) {
  const output = field.closest("form").querySelector("[data-meant]");
  const meant = meaning(field.value, cast());
  output.hidden = !meant;
  if (!meant) return;
  const label = document.createElement("span");
  label.className = "clip";
  label.textContent = meant.person?.name || `No character has the key ${meant.digit}.`;
  output.replaceChildren(label);
  if (!meant.person?.portrait) return;
  const portrait = document.createElement("img");
  portrait.src = meant.person.portrait;
  portrait.alt = "";
  output.prepend(portrait);
}
