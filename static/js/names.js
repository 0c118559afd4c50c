// Fills a field's <datalist> with names from the server while one types. The field says where to ask: data-names.
"use strict";
document.addEventListener("input", async (event) => {
  const input = event.target.closest("[data-names]");
  if (!input) return;
  const text = input.value.trim();
  if (input.dataset.asked === text) return;
  input.dataset.asked = text;
  const answer = await fetch(`${input.dataset.names}?q=${encodeURIComponent(text)}`, {
    headers: { Accept: "application/json" },
  });
  if (!answer.ok || answer.redirected || input.dataset.asked !== text) return; // a newer question is on its way
  const { names } = await answer.json();
  document.getElementById(input.getAttribute("list")).replaceChildren(
    ...names.map((entry) => {
      const option = document.createElement("option");
      option.value = entry.name;
      option.label = entry.label || "";
      return option;
    }),
  );
});
