// The secret of an invitation link stands behind the #, which is never sent by itself: this sends
// it as a form. Who logs in first comes back here without it: this tab keeps it meanwhile.
const WAITING = "koma.invitation";

function send(form) {
  const token = location.hash.slice(1) || sessionStorage.getItem(WAITING);
  sessionStorage.removeItem(WAITING);
  if (!token) {
    document.querySelector("[data-join-words]").textContent =
      "This link is incomplete. Copy it again from the message.";
    document.querySelector("[data-join-elsewhere]").hidden = false;
    return;
  }
  form.elements.token.value = token;
  // Else it would stay in the address through every redirect.
  history.replaceState(null, "", location.pathname);
  form.submit();
}

document.querySelector("[data-log-in-first]")?.addEventListener("click", ({ target }) => {
  sessionStorage.setItem(WAITING, target.closest("form").elements.token.value);
});

const form = document.querySelector("[data-join]");
if (form) document.addEventListener("DOMContentLoaded", () => send(form));
