"""Makes untrusted names safe to show and store: no path, no invisible characters, limited length."""

from __future__ import annotations

import unicodedata

from ingest.algorithms.normal_form import normal

NAME_BYTES_MAX = 200  # room for a prefix and a suffix below the 255 bytes that file systems allow
_UNSEEN = {
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
    "Zl",
    "Zp",
}  # control, format (bidi, zero width), surrogates, private, unassigned
_JOINERS = {"\u200c", "\u200d"}  # which some scripts need


def plain_text(raw: str, *, bytes_max: int = NAME_BYTES_MAX) -> str:
    """NFC text on one line, invisible characters replaced by `_`, cut to `bytes_max` UTF-8 bytes."""
    text = normal(raw[: bytes_max * 4])
    text = "".join(
        "_" if unicodedata.category(c) in _UNSEEN and c not in _JOINERS and not c.isspace() else c for c in text
    )
    return _cut(" ".join(text.split()), bytes_max)


def plain_name(raw: str, *, fallback: str = "unnamed") -> str:
    """The last part of a path as a safe file name; a long name is cut before its suffix."""
    last = raw.replace("\\", "/").rstrip("/").rpartition("/")[2]
    stem, dot, ending = last.rpartition(".")
    if dot and 0 < len(ending) <= 8 and ending.isascii() and ending.isalnum():
        clean = plain_text(stem, bytes_max=NAME_BYTES_MAX - len(ending) - 1).lstrip(". ")
        return f"{clean or fallback}.{ending}"
    return plain_text(last).strip(". ") or fallback


def _cut(text: str, bytes_max: int) -> str:
    """Cut between characters, never inside one."""
    return text.encode("utf-8", "replace")[:bytes_max].decode("utf-8", "ignore").rstrip()
