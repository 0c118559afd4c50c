"""Numbers in what a browser sends; str.isdigit is no check for int(): it takes "²", and int() refuses 5,000 digits."""

from __future__ import annotations

from collections.abc import Iterable

DIGITS_MAX = 18  # fits the 64 bits of a key in any database


def as_int(text: str | None) -> int | None:
    """The number that ASCII digits spell, at most 18 of them; None for anything else."""
    if text is None or len(text) > DIGITS_MAX or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def as_ints(texts: Iterable[str]) -> list[int]:
    """Those of the texts that are numbers."""
    return [number for number in map(as_int, texts) if number is not None]
