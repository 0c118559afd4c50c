"""How a tag is shown: its underscores are gaps between words, but not in faces made of signs."""

from __future__ import annotations

import re

_TWO_LETTERS = re.compile(r"[^\W_]{2}")  # two letters or figures side by side


def is_kaomoji(tag: str) -> bool:
    """Whether a tag is a face such as `^_^`, `o_o`, `(o)_(o)`: ASCII signs, and nowhere two letters side by side."""
    return "_" in tag.strip() and tag.isascii() and " " not in tag.strip() and _TWO_LETTERS.search(tag) is None


def spaced(tag: str) -> str:
    """`long_hair` as `long hair`; kaomoji stay."""
    return tag if is_kaomoji(tag) else tag.replace("_", " ")
