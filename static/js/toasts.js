// Toasts: what happened, with Undo. Text is set as text, never as HTML: it may hold names from outside.
"use strict";
(() => {
  const FADE_MS = 8000;
  const box = () => document.getElementById("toasts");

  function show({ text, error = false, undo = false }) {
    const toast = document.createElement("div");
    toast.className = error ? "toast error" : "toast";
    if (error) toast.setAttribute("role", "alert");
    const words = document.createElement("span");
    words.textContent = text;
    toast.append(words);
    if (undo) {
      // Undo takes the newest change: an older toast would name one thing and take back another.
      box()
        .querySelectorAll("[data-undo]")
        .forEach((older) => older.remove());
      toast.append(button("Undo ", "undo", "Z"));
    }
    const close = button("✕", "close");
    close.setAttribute("aria-label", "Close");
    toast.append(close);
    while (box().children.length >= 3) box().firstElementChild.remove();
    box().append(toast);
    if (!error) setTimeout(() => toast.remove(), FADE_MS); // errors stay until read
  }

  function button(text, name, key) {
    const node = document.createElement("button");
    node.type = "button";
    node.dataset[name] = "";
    node.textContent = text;
    if (key) {
      const cap = document.createElement("kbd");
      cap.textContent = key;
      node.append(cap);
    }
    return node;
  }

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) event.target.closest(".toast").remove();
    if (event.target.closest("[data-undo]") && document.body.dataset.undoUrl) {
      htmx.ajax("POST", document.body.dataset.undoUrl, { swap: "none" });
    }
  });
  document.addEventListener("DOMContentLoaded", () => {
    document
      .querySelectorAll("#toasts [data-fades]")
      .forEach((toast) => setTimeout(() => toast.remove(), FADE_MS));
    document.body.addEventListener("toast", (event) => show(event.detail));
    document.body.addEventListener("htmx:responseError", (event) => {
      if ((event.detail.xhr.getResponseHeader("HX-Trigger") || "").includes("toast")) return; // it says it itself
      const status = event.detail.xhr.status;
      show({
        error: true,
        text:
          status === 403
            ? "Your role here does not allow this."
            : `The server answered ${status}; nothing was changed. Reload the page and try again.`,
      });
    });
    document.body.addEventListener("htmx:sendError", () =>
      show({
        error: true,
        text: "The server cannot be reached; nothing was sent. Check the connection and try again.",
      }),
    );
  });
  window.komaToast = show;
})();
