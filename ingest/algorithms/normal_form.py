"""Unicode normal forms of untrusted text in linear instead of quadratic time, and characters that nobody sees."""

from __future__ import annotations

import unicodedata
from typing import Literal

MARKS_MAX = 30  # per letter: the limit of Unicode's Stream-Safe Text Format (UAX #15), above that of any script
# Characters that are not marks, but whose decomposition begins with one.
_HIDDEN = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")

JOINERS = frozenset("\u200c\u200d")  # invisible, but some scripts and emoji need them
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters and signs without a shape


def normal(text: str, form: Literal["NFC", "NFD", "NFKC"] = "NFC") -> str:
    """The text in a normal form; consecutive marks beyond MARKS_MAX are dropped, since sorting takes quadratic time."""
    if text.isascii():
        return text
    return unicodedata.normalize(form, text if len(text) <= MARKS_MAX else _fewer_marks(text))


def is_mark(char: str) -> bool:
    """Whether a character is reordered: its combining class is not 0, or its decomposition begins with such a one."""
    return unicodedata.combining(char) != 0 or char in _HIDDEN


def without_invisible(text: str) -> str:
    """The text without format characters (zero width, direction, soft hyphen), of which only JOINERS stay; empty where
    nothing in it is seen."""
    if text.isascii():
        return text
    left = "".join(char for char in text if char in JOINERS or unicodedata.category(char) != "Cf")
    return left if any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANK for char in left) else ""


def _fewer_marks(text: str) -> str:
    chars, run = [], 0
    for char in text:
        run = run + 1 if is_mark(char) else 0
        if run <= MARKS_MAX:
            chars.append(char)
    return "".join(chars)
