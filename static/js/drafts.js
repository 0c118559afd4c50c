// What was typed or chosen and not sent is kept in this browser, for this person, until it is sent: it is back after a
// login, on coming back, and when an answer draws the form anew. Answers that could not be sent wait to be sent again.
"use strict";
(() => {
  const user = document.body.dataset.user;
  if (!user) return;
  const DRAFT = `koma.draft:${user}:`;
  const WAITING = `koma.unsent:${user}:`;
  const SENT = `koma.sent:${user}`;
  const KEEP_MS = 14 * 24 * 3600 * 1000;
  const MOST = 300; // of either kind
  const read = (store, key) => {
    try {
      return JSON.parse(store.getItem(key));
    } catch {
      return null;
    }
  };
  const write = (store, key, value) => {
    try {
      store.setItem(key, JSON.stringify(value));
    } catch {
      /* a full or private store keeps nothing */
    }
  };
  const keys = (prefix) => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  const csrf = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];

  for (const prefix of [DRAFT, WAITING]) {
    const all = keys(prefix)
      .map((key) => [key, (read(localStorage, key) || {}).at || 0])
      .sort((a, b) => b[1] - a[1]);
    all.forEach(([key, at], n) => {
      if (n >= MOST || Date.now() - at > KEEP_MS) localStorage.removeItem(key);
    });
  }

  // --- Drafts ---------------------------------------------------------------------------------------------------------
  const TEXTS =
    "textarea, select, input:not([type]), input[type=text], input[type=number], input[type=search], input[type=url]";
  const isKept = (node) =>
    Boolean(node.name) &&
    !node.hidden &&
    !node.readOnly &&
    node.form !== null &&
    node.form.method === "post" &&
    !node.form.querySelector("[type=password]") &&
    !node.closest("[data-no-drafts]") &&
    node.matches(TEXTS);
  const fieldsOf = (root) => [...root.querySelectorAll("textarea, select, input")].filter(isKept);
  const shown = (node) =>
    node.matches("select")
      ? ([...node.options].find((one) => one.defaultSelected) || node.options[0] || {}).value
      : node.defaultValue;
  function keyOf(node) {
    const alike = [...node.form.elements].filter((one) => one.name === node.name);
    const place = node.getAttribute("aria-label") || node.placeholder || "";
    return `${DRAFT}${location.pathname}|${new URL(node.form.action).pathname}|${node.name}|${alike.indexOf(node)}|${place}`;
  }
  // What the form had shown when the typing began: so that the server can tell whether somebody wrote meanwhile.
  const stamps = (form) =>
    Object.fromEntries(
      ["seen", "version"]
        .filter((name) => form.elements[name])
        .map((name) => [name, form.elements[name].value]),
    );

  function keep(node) {
    const key = keyOf(node);
    const before = read(localStorage, key);
    if (node.value === shown(node)) localStorage.removeItem(key);
    else
      write(localStorage, key, {
        value: node.value,
        stamps: before ? before.stamps : stamps(node.form),
        at: Date.now(),
      });
    node.toggleAttribute("data-unsent", node.value !== shown(node));
  }
  function restore(root) {
    const touched = new Set();
    for (const node of fieldsOf(root)) {
      const draft = read(localStorage, keyOf(node));
      if (!draft) continue;
      if (draft.value === shown(node)) {
        localStorage.removeItem(keyOf(node));
        continue;
      }
      if (node.matches("select") && ![...node.options].some((one) => one.value === draft.value))
        continue;
      node.value = draft.value;
      node.toggleAttribute("data-unsent", true);
      for (const [name, value] of Object.entries(draft.stamps))
        if (node.form.elements[name]) node.form.elements[name].value = value;
      touched.add(node.form);
    }
    touched.forEach((form) =>
      form.dispatchEvent(new CustomEvent("koma:restored", { bubbles: true })),
    );
  }
  const taken = (form) =>
    fieldsOf(form).map((node) => ({ key: keyOf(node), value: node.value, node }));
  const forget = (list) =>
    list.forEach(({ key, value, node }) => {
      const draft = read(localStorage, key);
      if (draft && draft.value === value) localStorage.removeItem(key); // else more was typed since
      if (node && node.isConnected && node.value === value) {
        if (!node.matches("select")) node.defaultValue = value;
        node.removeAttribute("data-unsent");
      }
    });

  for (const happening of ["input", "change"])
    document.addEventListener(happening, (event) => {
      if (event.target.form !== undefined && isKept(event.target)) keep(event.target);
    });

  // Plain forms: the cookie says on the next page which of them was done.
  document.addEventListener("submit", ({ target: form, defaultPrevented }) => {
    // One that repeats another form, key and all, has nothing of its own: what that one held is noted already.
    if (
      defaultPrevented ||
      form.hasAttribute("hx-post") ||
      !form.elements.key ||
      form.matches("[data-same-key]")
    )
      return;
    const all = form.matches("[data-both]")
      ? keys(DRAFT)
          .filter((key) => key.split("|")[1] === new URL(form.action).pathname)
          .map((key) => ({ key, value: read(localStorage, key).value }))
      : taken(form);
    write(sessionStorage, SENT, {
      form: form.elements.key.value,
      drafts: all.map(({ key, value }) => ({ key, value })),
    });
  });
  function settle() {
    const sent = read(sessionStorage, SENT);
    const done = (document.cookie.match(/(?:^|; )koma_done=([^;]+)/) || [])[1];
    if (!sent || !done || decodeURIComponent(done) !== sent.form) return;
    forget(sent.drafts);
    sessionStorage.removeItem(SENT);
    document.cookie = "koma_done=; Max-Age=0; Path=/";
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-keep-theirs]");
    if (!link) return;
    const path = new URL(link.closest("form").action).pathname;
    keys(DRAFT)
      .filter((key) => key.split("|")[1] === path)
      .forEach((key) => localStorage.removeItem(key));
  });

  // htmx: what was sent is forgotten once it was answered, and everything else survives the form that is drawn anew.
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    const form = detail.elt.closest("form");
    if (detail.verb === "post" && form && form.elements.key) {
      detail.komaDrafts = taken(form);
      detail.komaForm = form;
    }
  });
  document.addEventListener("htmx:beforeOnLoad", ({ detail }) => {
    const { komaDrafts, komaForm } = detail.requestConfig;
    if (!komaDrafts || detail.xhr.status >= 300 || !window.komaForms.isAnswered(detail.xhr)) return;
    forget(komaDrafts);
    const fresh = detail.xhr.getResponseHeader("X-Koma-Seen");
    if (fresh && komaForm.elements.seen) komaForm.elements.seen.value = fresh;
  });
  let focus = null;
  document.addEventListener("htmx:beforeSwap", () => {
    const node = document.activeElement;
    focus =
      node && node.form && isKept(node) && node.hasAttribute("data-unsent")
        ? { key: keyOf(node), from: node.selectionStart, to: node.selectionEnd }
        : null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    restore(document);
    if (!focus || document.activeElement !== document.body) return;
    const node = fieldsOf(document).find((one) => keyOf(one) === focus.key);
    if (!node) return;
    node.focus({ preventScroll: true });
    if (focus.from !== null && node.setSelectionRange && node.type !== "number")
      node.setSelectionRange(focus.from, focus.to);
  });

  // --- Answers that could not be sent ---------------------------------------------------------------------------------
  document.addEventListener("htmx:afterRequest", ({ detail }) => {
    const { komaAct, formData, path } = detail.requestConfig;
    if (!komaAct) return;
    const key = WAITING + formData.get("key");
    if (window.komaForms.isAnswered(detail.xhr)) localStorage.removeItem(key);
    else
      write(localStorage, key, {
        path,
        act: komaAct,
        fields: [...formData].filter(
          ([name, value]) => name !== "csrfmiddlewaretoken" && typeof value === "string",
        ),
        at: Date.now(),
      });
    draw();
  });
  const waiting = () =>
    keys(WAITING)
      .map((key) => ({ key, ...read(localStorage, key) }))
      .sort((a, b) => a.at - b.at);
  function draw() {
    const list = waiting();
    const bar = document.getElementById("unsent");
    bar.hidden = !list.length;
    bar.querySelector("span").textContent =
      list.length === 1
        ? "1 answer could not be sent. It is kept in this browser."
        : `${list.length} answers could not be sent. They are kept in this browser.`;
    bar.title = list
      .map((one) =>
        one.fields
          .filter(([name]) => !["key", "seen", "version", "page"].includes(name))
          .map(([name, value]) => `${name}: ${value.slice(0, 60)}`)
          .join(", "),
      )
      .join("\n");
  }
  async function sendAgain() {
    let sent = 0;
    for (const one of waiting()) {
      const body = new FormData();
      one.fields.forEach(([name, value]) => body.append(name, value));
      let answer;
      try {
        answer = await fetch(one.path, {
          method: "POST",
          body,
          headers: { "X-CSRFToken": csrf(), "HX-Request": "true", "HX-Current-URL": location.href },
        });
      } catch {
        window.komaToast({
          error: true,
          text: "The server cannot be reached; what was not sent is kept.",
        });
        break;
      }
      const login = (answer.headers.get("HX-Redirect") || "").startsWith("/login/");
      if (login) {
        location.assign(answer.headers.get("HX-Redirect"));
        return;
      }
      const told = JSON.parse(answer.headers.get("HX-Trigger") || "{}").toast;
      if (answer.status >= 500) {
        window.komaToast({
          error: true,
          text: told
            ? told.text
            : `The server answered ${answer.status}; what was not sent is kept.`,
        });
        break;
      }
      localStorage.removeItem(one.key);
      if (answer.ok) {
        sent += 1;
        forget(
          keys(DRAFT)
            .filter((key) => key.split("|")[1] === one.path)
            .map((key) => ({
              key,
              value: (one.fields.find(([name]) => name === key.split("|")[2]) || [])[1],
            })),
        );
        continue;
      }
      if (answer.headers.get("HX-Retarget") === "#both") {
        const dialog = document.getElementById("both");
        window.htmx.swap(dialog, await answer.text(), { swapStyle: "innerHTML" });
        dialog.showModal();
      } else
        window.komaToast({
          error: true,
          text: told ? told.text : `The server answered ${answer.status}; this answer was refused.`,
        });
      draw();
      return;
    }
    draw();
    if (sent) {
      write(sessionStorage, `${SENT}.told`, sent);
      location.reload();
    }
  }
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-send-again]")) sendAgain();
    if (event.target.closest("[data-discard-unsent]")) {
      waiting().forEach(({ key }) => localStorage.removeItem(key));
      draw();
    }
  });

  document.addEventListener("DOMContentLoaded", () => {
    settle();
    restore(document);
    window.komaForms.expect(waiting().map((one) => [one.act, one.key.slice(WAITING.length)]));
    draw();
    const told = read(sessionStorage, `${SENT}.told`);
    sessionStorage.removeItem(`${SENT}.told`);
    if (told) window.komaToast({ text: told === 1 ? "1 answer sent." : `${told} answers sent.` });
  });
})();
