// The secret of an invitation link stands behind the #, which is never sent by itself: this sends it as a form.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("[data-join]");
  if (!form) return;
  const token = location.hash.slice(1);
  if (!token) {
    document.querySelector("[data-join-words]").textContent =
      "This link is not whole. Copy it again from the message.";
    return;
  }
  form.elements.token.value = token;
  history.replaceState(null, "", location.pathname); // else it would stay in the address through every redirect
  form.submit();
});
