// The digits that mean characters while one names faces.

const DIGIT = /^[1-9]$/;

// Whom the text of a name field means, where it is one digit and nothing else: {digit, person}, the
// person being null where the digit is nobody's. Null for any other text: names may begin with
// digits. `cast` is a Map of digits to persons.
export function meaning(text, cast) {
  const digit = text.trim();
  return DIGIT.test(digit) ? { digit, person: cast.get(digit) || null } : null;
}

// The name that is sent for what was typed: a digit's person, or the text as it is. An empty field
// takes the guess; "" where there is nothing to send.
export function nameFor(text, { cast, guess = "" }) {
  const meant = meaning(text, cast);
  return meant ? meant.person?.name || "" : text.trim() || guess;
}
