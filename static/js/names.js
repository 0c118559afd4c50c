// Fills a field's <datalist> with names from the server while one types. The field says where to
// ask: data-names.

function optionOf({ name, label }) {
  const option = document.createElement("option");
  option.value = name;
  option.label = label || "";
  return option;
}

document.addEventListener("input", async (event) => {
  const field = event.target.closest("[data-names]");
  if (!field) return;
  const text = field.value.trim();
  if (field.dataset.asked === text) return;
  field.dataset.asked = text;
  const address = `${field.dataset.names}?q=${encodeURIComponent(text)}`;
  let response;
  try {
    response = await fetch(address, { headers: { Accept: "application/json" } });
  } catch {
    return; // without a connection one types the whole name
  }
  const isNewest = field.dataset.asked === text;
  if (!response.ok || response.redirected || !isNewest) return;
  const { names } = await response.json();
  document.getElementById(field.getAttribute("list")).replaceChildren(...names.map(optionOf));
});
