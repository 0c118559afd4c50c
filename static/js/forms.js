// Each act is sent once: a form in flight is not sent again, a new act gets a fresh key, and one whose answer never came
// keeps its key, so that the server knows it when it comes again.
"use strict";
(() => {
  const flying = new Set();
  const unanswered = new Map(); // act -> key
  const fresh = () =>
    [...crypto.getRandomValues(new Uint8Array(16))]
      .map((n) => n.toString(16).padStart(2, "0"))
      .join("");
  const act = (path, data) =>
    `${path}\n${[...data]
      .filter(([name]) => name !== "key" && name !== "csrfmiddlewaretoken")
      .map(
        ([name, value]) =>
          `${name}=${value instanceof File ? `${value.name}:${value.size}` : value}`,
      )
      .sort()
      .join("\n")}`;

  document.addEventListener("htmx:configRequest", (event) => {
    const { verb, path, formData } = event.detail;
    if (verb !== "post" || !formData.has("key")) return;
    const mark = act(path, formData);
    if (flying.has(mark)) {
      event.preventDefault();
      return;
    } // a double click
    formData.set("key", unanswered.get(mark) || fresh());
    event.detail.komaAct = mark;
  });
  document.addEventListener("htmx:beforeSend", ({ detail }) => {
    if (detail.requestConfig.komaAct) flying.add(detail.requestConfig.komaAct);
  });
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const { komaAct: mark, formData } = detail.requestConfig;
    if (!mark) return;
    flying.delete(mark);
    if (window.komaForms.isAnswered(detail.xhr)) unanswered.delete(mark);
    else unanswered.set(mark, formData.get("key"));
  });

  // Plain forms: the page is left, so the first one sent is on its way until the page is shown again.
  let sent = new Map();
  window.addEventListener("pageshow", () => {
    sent = new Map();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (
      event.defaultPrevented ||
      form.method !== "post" ||
      form.hasAttribute("hx-post") ||
      !form.elements.key
    )
      return;
    const mark = act(form.action, new FormData(form, event.submitter));
    if (sent.has(mark) && Date.now() - sent.get(mark).at < 3000) {
      event.preventDefault();
      return;
    }
    if (!form.matches("[data-same-key]"))
      form.elements.key.value = sent.has(mark) ? sent.get(mark).key : fresh();
    sent.set(mark, { at: Date.now(), key: form.elements.key.value });
  });

  // Somebody changed the same meanwhile: both answers come as a dialog, though the status is an error's.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.xhr.status === 409 && detail.target.id === "both") detail.shouldSwap = true;
  });
  document.addEventListener("htmx:afterSwap", ({ detail }) => {
    if (detail.target.id === "both" && !detail.target.open) detail.target.showModal();
  });

  window.komaForms = {
    // Whether the server has said what became of an act; not so without a line, in an outage, or after a session's end.
    expect: (acts) => acts.forEach(([mark, key]) => unanswered.set(mark, key)), // known from before this page
    isAnswered: (xhr) =>
      xhr.status > 0 &&
      xhr.status < 500 &&
      !(xhr.getResponseHeader("HX-Redirect") || "").startsWith("/login/"),
  };
})();
