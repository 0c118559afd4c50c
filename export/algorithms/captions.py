"""Captions of pictures: parts in a fixed order, each with its own probability (reference 1.8).

Every draw depends only on the recipe's seed, the picture's key and the part's name, so the same recipe gives the same
bytes on every machine, and changing one probability does not change the draws of other parts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from export.algorithms.caption_tags import (
    display_name,
    display_text,
    is_blocked,
    is_eyes,
    is_hair,
    is_outfit,
    is_people,
)
from export.algorithms.metadata import Box, CountSource, Facts, count_word

CaptionVersion = Literal["v1.0", "v1.1", "v1.2"]
FaceposForm = Literal["raw", "tokens", "words", "phrases"]
PARTS = ("count", "characters", "copyright", "general", "artist", "rating", "facepos", "tags", "prose")

_HORIZONTAL = ("fhll", "fhml", "fhmd", "fhmr", "fhri")
_VERTICAL = ("fvtp", "fvmt", "fvmd", "fvmb", "fvbt")
_HORIZONTAL_WORDS = ("fhleft", "fhmleft", "fhmid", "fhmright", "fhright")
_VERTICAL_WORDS = ("fvtop", "fvmtop", "fvmid", "fvmbottom", "fvbottom")


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptionOptions:
    """All options of a caption; the defaults are those of v1.2. `of_version` returns those of another version.

    `prose` are the sentences of a sidecar file (one is drawn from several), else of a captioning model. With
    `prose_instead`, drawn prose replaces the tags, so that a probability between 0 and 1 mixes both kinds of captions.
    `meta_tags`: also tags about the picture itself and labels of classifiers. `weak_tags`: also computed tags with a
    low score. `escape_brackets`: for trainers that read `(word:1.2)` as a weight.
    """

    version: CaptionVersion = "v1.2"
    seed: int = 0
    order: tuple[str, ...] = PARTS
    separator: str = ", "
    count_prob: float = 0.0
    count_source: CountSource = "people"
    count_singular: str = "person"
    count_plural: str = "people"
    characters_prob: float = 1.0
    characters_separator: str = ", "
    copyright_prob: float = 0.0
    copyright_prefix: str = "from "
    general_prob: float = 1.0
    artist_prob: float = 1.0
    artist_prefix: str = "by "
    rating_prob: float = 1.0
    facepos_prob: float = 0.0
    facepos_form: FaceposForm = "phrases"
    always_facepos: bool = False
    tags_prob: float = 1.0
    prose_prob: float = 0.0
    prose_instead: bool = False
    tags_separator: str = ", "
    max_tags: int = 15
    meta_tags: bool = False
    weak_tags: bool = False
    shuffle_tags: bool = False
    people_first: bool = True
    spaces: bool = True
    escape_brackets: bool = False
    drop_hair: bool = False
    drop_eyes: bool = False
    drop_outfit: bool = False
    blacklist: tuple[str, ...] = ("parody",)

    def __post_init__(self) -> None:
        for part in self.order:
            if part not in PARTS:
                raise ValueError(f"order: {part!r} is not a part; choose from {', '.join(PARTS)}")
        if len(set(self.order)) != len(self.order):
            raise ValueError("order: a part occurs twice")
        for part in PARTS:
            if not 0.0 <= getattr(self, f"{part}_prob") <= 1.0:
                raise ValueError(f"{part}_prob: a probability lies between 0 and 1")
        if self.max_tags < 0:
            raise ValueError("max_tags: must be 0 or more")
        if not 0 <= self.seed < 2**63:
            raise ValueError("seed: must lie between 0 and 2^63")
        if any("\n" in text or "\r" in text for text in (self.separator, self.tags_separator)):
            raise ValueError("separator: a caption is one line, so it must not hold a line break")

    @classmethod
    def of_version(cls, version: CaptionVersion, **changes: Any) -> CaptionOptions:
        """Return the options of a version of the reference, with `changes`."""
        return cls(**({"version": version} | dict(VERSIONS[version]) | changes))


VERSIONS: Mapping[str, Mapping[str, Any]] = {
    "v1.0": {
        "count_prob": 1.0,
        "characters_separator": " ",
        "artist_prefix": "style of ",
        "rating_prob": 0.0,
        "facepos_prob": 1.0,
        "facepos_form": "raw",
        "people_first": False,
        "spaces": False,
    },
    "v1.1": {
        "count_prob": 1.0,
        "characters_separator": " ",
        "artist_prefix": "style of ",
        "rating_prob": 0.0,
        "facepos_prob": 1.0,
        "facepos_form": "tokens",
    },
    "v1.2": {},
}


_BRACKET = re.compile(r"(?<!\\)([()\[\]])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")  # from names that were never validated


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a caption; `tag` is the tag that it stands for, with underscores, or empty."""

    text: str
    tag: str = ""


def caption(facts: Facts, options: CaptionOptions, *, key: str) -> str:
    """Compose the caption of one picture as one line, without empty or undrawn parts. `key` identifies the picture."""
    return "".join(piece.text for piece in pieces(facts, options, key=key))


def pieces(facts: Facts, options: CaptionOptions, *, key: str) -> list[Piece]:
    """Return the caption in pieces, so that a page can tell its tags from the rest."""
    drawn = [part for part in options.order if draw(options.seed, key, part) < getattr(options, f"{part}_prob")]
    if options.prose_instead and "prose" in drawn and facts.prose:
        drawn = [part for part in drawn if part != "tags"]
    composed: list[Piece] = []
    for part in drawn:
        texts = _tags(facts, options, key) if part == "tags" else [Piece(_WRITERS[part](facts, options, key))]
        texts = [Piece(_CONTROL.sub("", piece.text), piece.tag) for piece in texts]
        if not any(piece.text for piece in texts):
            continue
        composed += [Piece(options.separator)] if composed else []
        composed += _escaped(texts) if options.escape_brackets else texts
    return composed


def _escaped(texts: list[Piece]) -> list[Piece]:
    """Escape brackets as in the joined text: a backslash at the end of a piece counts for the next one."""
    escaped_pieces, before = [], ""
    for piece in texts:
        escaped_pieces.append(Piece(escaped(before + piece.text)[len(escaped(before)) :], piece.tag))
        before = piece.text[-1:] or before
    return escaped_pieces


def escaped(text: str) -> str:
    """Escape brackets that are not escaped already as `\\(`, `\\)`, `\\[`, `\\]`."""
    return _BRACKET.sub(r"\\\1", text)


def draw(seed: int, key: str, part: str) -> float:
    """Return a uniform number in [0, 1) that depends only on the arguments."""
    return int.from_bytes(_digest(seed, key, part)[:7], "big") / 2**56


def chosen_tags(facts: Facts, options: CaptionOptions, *, key: str) -> list[str]:
    """Return the caption's tags in order, still with underscores."""
    every = (*facts.tags, *(facts.meta if options.meta_tags else ()))
    left_out = set() if options.weak_tags else set(facts.weak)
    tags = [tag for tag in dict.fromkeys(every) if tag not in left_out and not is_blocked(tag, options.blacklist)]
    first = [tag for tag in tags if is_people(tag)] if options.people_first else []
    tags_left = set(first)
    rest = [tag for tag in tags if tag not in tags_left and not _dropped(tag, facts, options)]
    if options.shuffle_tags:
        rest.sort(key=lambda tag: _digest(options.seed, key, f"tag\0{tag}"))
    return first + rest[: max(0, options.max_tags - len(first))]


def _dropped(tag: str, facts: Facts, options: CaptionOptions) -> bool:
    return (
        (options.drop_hair and is_hair(tag))
        or (options.drop_eyes and is_eyes(tag))
        # Clothes are implied only if every character's name includes the outfit.
        or (options.drop_outfit and facts.every_outfit_known and is_outfit(tag))
    )


def _count(facts: Facts, options: CaptionOptions, key: str) -> str:
    count = facts.count(options.count_source)
    if count < 1:
        return ""
    return f"{count_word(count)}{options.count_singular if count == 1 else options.count_plural}"


def _characters(facts: Facts, options: CaptionOptions, key: str) -> str:
    return options.characters_separator.join(display_name(name, spaces=options.spaces) for name in facts.characters)


def _copyright(facts: Facts, options: CaptionOptions, key: str) -> str:
    names = ", ".join(display_name(name, spaces=options.spaces) for name in facts.copyright)
    return f"{options.copyright_prefix}{names}" if names else ""


def _general(facts: Facts, options: CaptionOptions, key: str) -> str:
    return display_text(facts.general, spaces=options.spaces)


def _artist(facts: Facts, options: CaptionOptions, key: str) -> str:
    names = ", ".join(display_name(name, spaces=options.spaces) for name in facts.artist)
    return f"{options.artist_prefix}{names}" if names else ""


def _rating(facts: Facts, options: CaptionOptions, key: str) -> str:
    return "explicit" if facts.rating in ("explicit", "e") else ""


def _facepos(facts: Facts, options: CaptionOptions, key: str) -> str:
    if not facts.faces or not (options.always_facepos or facts.positions_name_the_characters):
        return ""
    texts = [position(box, options.facepos_form) for box in facts.faces]
    return (", " if options.facepos_form == "phrases" else " ").join(texts)


def _tags(facts: Facts, options: CaptionOptions, key: str) -> list[Piece]:
    composed: list[Piece] = []
    for tag in chosen_tags(facts, options, key=key):
        composed += [Piece(options.tags_separator)] if composed else []
        composed.append(Piece(display_name(tag, spaces=options.spaces), tag))
    return composed


def _prose(facts: Facts, options: CaptionOptions, key: str) -> str:
    if len(facts.proses) > 1:  # one of several, by the seed
        return facts.proses[int(draw(options.seed, key, "prose choice") * len(facts.proses))]
    return facts.prose


def position(box: Box, form: FaceposForm) -> str:
    """Describe a face's position: raw percent, 5 x 5 tokens (two spellings), or one of three phrases (by centre x)."""
    if form == "raw":
        return box.text
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    if form == "phrases":
        return "at left" if x < 0.38 else "in the middle" if x < 0.62 else "at right"
    across, down = (_HORIZONTAL, _VERTICAL) if form == "tokens" else (_HORIZONTAL_WORDS, _VERTICAL_WORDS)
    return f"{across[_fifth(x)]} {down[_fifth(y)]}"


def _fifth(value: float) -> int:
    return sum(value >= edge for edge in (0.2, 0.4, 0.6, 0.8))


def _digest(seed: int, key: str, part: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{key}\0{part}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


_WRITERS: Mapping[str, Callable[[Facts, CaptionOptions, str], str]] = {
    "count": _count,
    "characters": _characters,
    "copyright": _copyright,
    "general": _general,
    "artist": _artist,
    "rating": _rating,
    "facepos": _facepos,
    "prose": _prose,
}
