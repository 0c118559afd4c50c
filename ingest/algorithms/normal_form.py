"""Unicode's normal forms of text from outside, in a time that grows with its length and not with the square of it."""

from __future__ import annotations

import unicodedata
from typing import Literal

MARKS_MAX = 30  # on one letter: the bound of Unicode's Stream-Safe Text Format (UAX #15); no script has as many
# Not marks by their own class, but their forms begin with one.
_HIDDEN = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")


def normal(text: str, form: Literal["NFC", "NFD", "NFKC"] = "NFC") -> str:
    """The text in a normal form; of marks in a row those beyond MARKS_MAX go, since sorting them takes the square."""
    if text.isascii():
        return text
    return unicodedata.normalize(form, text if len(text) <= MARKS_MAX else _fewer_marks(text))


def is_mark(char: str) -> bool:
    """Whether a character is sorted among those before it: its class is not 0, or its forms begin with such a one."""
    return unicodedata.combining(char) != 0 or char in _HIDDEN


def _fewer_marks(text: str) -> str:
    chars, run = [], 0
    for char in text:
        run = run + 1 if is_mark(char) else 0
        if run <= MARKS_MAX:
            chars.append(char)
    return "".join(chars)
