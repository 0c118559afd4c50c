// What a form sends, and what became of it.

// A key that the server knows a submission by: 32 hexadecimal digits.
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

// Tells one submission from another: where it goes and what it says, without its key. `fields`:
// pairs of name and value.
export function fingerprint(path, fields) {
  const lines = [...fields]
    .filter(([name]) => name !== "key" && name !== "csrfmiddlewaretoken")
    .map(([name, value]) =>
      value instanceof File ? `${name}=${value.name}:${value.size}` : `${name}=${value}`,
    );
  return `${path}\n${lines.toSorted().join("\n")}`;
}

// Whether a response says what became of a submission: not without a connection, in an outage, or
// when the session ended.
export function isAnswered({ status, redirect }) {
  return status > 0 && status < 500 && !(redirect || "").startsWith("/login/");
}
