"""Displays tags with spaces instead of underscores, except in kaomoji."""

from __future__ import annotations

import re

_TWO_LETTERS = re.compile(r"[^\W_]{2}")  # two consecutive letters or digits


def is_kaomoji(tag: str) -> bool:
    """Whether a tag is a kaomoji such as `^_^`, `o_o`, `(o)_(o)`: ASCII without two consecutive letters."""
    return "_" in tag.strip() and tag.isascii() and " " not in tag.strip() and _TWO_LETTERS.search(tag) is None


def spaced(tag: str) -> str:
    """`long_hair` as `long hair`; kaomoji are unchanged."""
    return tag if is_kaomoji(tag) else tag.replace("_", " ")
