// Buttons that copy what stands before them, a field or a text.
import { showToast } from "./toasts.js";

for (const button of navigator.clipboard ? document.querySelectorAll("[data-copy]") : []) {
  const source = button.previousElementSibling;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    showToast({ text: "Copied." });
  });
}
