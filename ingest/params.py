"""Parses numbers that a browser sends. str.isdigit does not suffice: it accepts "²", and int() refuses 5,000 digits."""

from __future__ import annotations

from collections.abc import Iterable

DIGITS_MAX = 18  # fits the 64 bits of a key in any database


def as_int(text: str | None) -> int | None:
    """The number of a text of at most 18 ASCII digits; None for anything else."""
    if text is None or len(text) > DIGITS_MAX or not (text.isascii() and text.isdigit()):
        return None
    return int(text)


def as_ints(texts: Iterable[str]) -> list[int]:
    """The numbers among the texts."""
    return [number for number in map(as_int, texts) if number is not None]
