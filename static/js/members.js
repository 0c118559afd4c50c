// Selects an invitation link or a password; changes a role when another one is chosen.
document.querySelector("[data-link]")?.select();
for (const button of document.querySelectorAll("[data-hide-with-script]")) button.hidden = true;
for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
