"""Reads the tag files that lie beside downloaded pictures (imgbrd-grabber's lines, a tagger's comma list, captions)."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

TEXT_BYTES_MAX = 1 << 20
TAGS_MAX = 2000
TAG_CHARS_MAX = 200
NOBODY = frozenset({"unknown", "ood"})  # what classifiers write for "no character"
_HEADS = ("character", "copyright", "artist", "general", "meta", "rating", "score", "species")
_WORDS_OF_A_TAG_MAX = 6  # a comma list with longer parts on average is a sentence


@dataclass(frozen=True, slots=True)
class SideTags:
    """Tags by category, in file order, with underscores; `caption` is the text when the file holds prose instead."""

    character: tuple[str, ...] = ()
    copyright: tuple[str, ...] = ()
    artist: tuple[str, ...] = ()
    general: tuple[str, ...] = ()
    meta: tuple[str, ...] = ()
    rating: str = ""
    score: int | None = None
    caption: str = ""

    @property
    def empty(self) -> bool:
        """True when the file said nothing."""
        return not (self.character or self.copyright or self.artist or self.general or self.meta or self.caption)


def parse_side_file(data: bytes) -> SideTags:
    """Read the bytes of a `.tags` or `.txt` file; what is not understood is left out, it never raises."""
    text = _decode(data[:TEXT_BYTES_MAX])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found: dict[str, list[str]] = {}
    loose: list[str] = []
    for line in lines:
        head, colon, rest = line.partition(":")
        if colon and head.strip().lower() in _HEADS and (not rest or rest[0] in " \t" or "," in rest):
            found.setdefault(head.strip().lower(), []).extend(rest.split(","))
        else:
            loose.append(line)
    if loose and not found and _is_prose(loose):
        return SideTags(caption=_clean(" ".join(loose))[: TAG_CHARS_MAX * 20])
    for line in loose:
        found.setdefault("general", []).extend(line.split(",") if "," in line or len(loose) > 1 else [line])
    return SideTags(
        character=tuple(t for t in _tags(found.get("character", [])) if t.lower() not in NOBODY),
        copyright=_tags(found.get("copyright", [])),
        artist=_tags(found.get("artist", [])),
        general=_tags(found.get("general", []) + found.get("species", [])),
        meta=_tags(found.get("meta", [])),
        rating=_rating(found.get("rating", [])),
        score=_score(found.get("score", [])),
    )


def side_file_of(picture: str, names: Iterable[str]) -> str | None:
    """The tag file of a picture among the names: `a.png.tags`, `a.tags`, `a.png.txt`, `a.txt`, in this order."""
    present = set(names)
    stem = picture.rpartition(".")[0] or picture
    for ending in (".tags", ".tag", ".txt"):
        for base in (picture, stem):
            if base + ending in present:
                return base + ending
    return None


def _decode(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _is_prose(lines: list[str]) -> bool:
    parts = [part for line in lines for part in line.split(",") if part.strip()]
    words = sum(len(part.split()) for part in parts)
    return bool(parts) and words / len(parts) > _WORDS_OF_A_TAG_MAX


def _tags(raw: list[str]) -> tuple[str, ...]:
    seen: dict[str, None] = {}
    for part in raw[:TAGS_MAX]:
        tag = _clean(part).replace("\\(", "(").replace("\\)", ")").replace(" ", "_")
        if tag and len(tag) <= TAG_CHARS_MAX:
            seen.setdefault(tag)
    return tuple(seen)


def _clean(text: str) -> str:
    """One line without control and direction characters."""
    kept = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _rating(raw: list[str]) -> str:
    """First letter as boorus write it: g, s, q, e; anything else is no rating."""
    letter = _clean(",".join(raw))[:1].lower()
    return letter if letter in "gsqe" else ""


def _score(raw: list[str]) -> int | None:
    try:
        return int(_clean(",".join(raw))[:12])
    except ValueError:
        return None
