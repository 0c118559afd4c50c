// Copies an invitation link; changes a role when another one is chosen.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const link = document.querySelector("[data-link]");
  const copy = document.querySelector("[data-copy]");
  if (link) {
    link.select();
    if (navigator.clipboard) {
      copy.hidden = false;
      copy.addEventListener("click", async () => {
        await navigator.clipboard.writeText(link.value);
        window.komaToast({ text: "Copied." });
      });
    }
  }
  document.querySelectorAll("[data-hide-with-script]").forEach((button) => {
    button.hidden = true;
  });
  document
    .querySelectorAll("[data-submit]")
    .forEach((select) => select.addEventListener("change", () => select.form.requestSubmit()));
});
