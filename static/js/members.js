// Copies an invitation link; changes a role when another one is chosen.
import { showToast } from "./toasts.js";

function offerCopy(link) {
  link.select();
  if (!navigator.clipboard) return;
  const button = document.querySelector("[data-copy]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link.value);
    showToast({ text: "Copied." });
  });
}

const link = document.querySelector("[data-link]");
if (link) offerCopy(link);
for (const button of document.querySelectorAll("[data-hide-with-script]")) button.hidden = true;
for (const select of document.querySelectorAll("[data-submit]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
