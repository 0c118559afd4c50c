// An estimate of the tokens that CLIP makes of a caption. Its own list of 49,152 pieces is not part
// of Koma, so the rule of thumb is: a run of signs or a digit is one token, a word is one for its
// first seven letters and one for each five that follow, a letter beyond Latin is two.
export const MAX_TOKENS = 75;

const PIECES = /\p{Script=Latin}+|\p{Letter}|\p{Number}|[^\s\p{Letter}\p{Number}]+/gu;
const FIRST_LETTERS = 7;
const FURTHER_LETTERS = 5;

function tokensOf(piece) {
  if (/^\p{Script=Latin}/u.test(piece)) {
    return 1 + Math.ceil(Math.max(0, piece.length - FIRST_LETTERS) / FURTHER_LETTERS);
  }
  return /^\p{Letter}/u.test(piece) ? 2 : 1;
}

export function estimatedTokens(text) {
  return (text.match(PIECES) || []).reduce((sum, piece) => sum + tokensOf(piece), 0);
}
