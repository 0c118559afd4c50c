"""Reads text files next to pictures: tag lists in all common forms, distinguished from prose by the whole text.

Forms: `1girl, long hair`; the same with semicolons; Danbooru's `1girl long_hair`; one tag per line; lines such as
`character: a, b` (imgbrd-grabber); namespaces such as `character:saber` (hydrus); sentences. Text that cannot be a tag
is kept in `left`, never dropped.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ingest.algorithms.normal_form import normal

TAGS_MAX = 2000
TAG_CHARS_MAX = 200
CAPTION_CHARS_MAX = 4000
CAPTIONS_MAX = 50
LEFT_MAX = 50  # texts that were not understood; further ones are only counted
NOBODY = frozenset({"unknown", "ood"})  # what classifiers write for "no character"
TAG_WORDS_MAX = 6  # words of a tag with spaces; more are a sentence

Known = Callable[[Collection[str]], Collection[str]]  # spellings with underscores -> those in the vocabulary

_HEADS = {
    **dict.fromkeys(("character", "characters", "char", "person"), "character"),
    **dict.fromkeys(("copyright", "copyrights", "series", "studio", "franchise", "copy"), "copyright"),
    **dict.fromkeys(("artist", "artists", "creator", "creators", "art"), "artist"),
    **dict.fromkeys(("general", "tags", "species", "gen", "clothing"), "general"),
    **dict.fromkeys(("meta", "medium"), "meta"),
    "rating": "rating",
    "score": "score",
}
CATEGORIES = ("character", "copyright", "artist", "general", "meta")
# Namespaces that describe the file, not the picture.
_ABOUT_FILES = frozenset({"title", "page", "chapter", "volume", "source", "url", "filename", "date", "site", "pool"})
_HEAD = re.compile(r"\s*([A-Za-z]+)\s*:(.*)", re.DOTALL)
_NAMESPACE = re.compile(r"(?:^|[\s,])-?([A-Za-z]+):(?=[^\s,])")
_RATING = re.compile(r"rating[_:]\s*(\w[\w+-]*)", re.IGNORECASE)
_SCORED = re.compile(r"\((.+):\d+(?:\.\d+)?\)")
_COMMAS = re.compile(r"[,，、]")
# Next to a space; inside a word they may belong to a name (`steins;gate`) or a kaomoji (`;_;`).
_SEMICOLONS = re.compile(r"(?<=[^\s;_；])[;；](?=\s)|(?<=[^\W_])[;；]$|；")
_TIGHT_SEMICOLONS = re.compile(r"(?<=[^\W_]);(?=[^\W_])")
_PEOPLE = re.compile(r"\d\+?(?:girl|boy|other)s?|solo|no_humans|multiple_(?:girls|boys)", re.IGNORECASE)
_PROSE = frozenset(
    """
    a an the is are was were has have he she her his their they it its who which that this there and with while as
    from into
    """.split()  # noqa: SIM905
)
_SENTENCES = frozenset("a an the is are was were she he they it its who which".split())  # noqa: SIM905 - never in long tags
# Without an imported vocabulary: single words that are tags and rarely part of one.
_COMMON = frozenset(
    """
    smile blush hat sky outdoors indoors dress skirt shirt gloves bow ribbon sitting standing long_hair short_hair
    breasts jewelry weapon flower water night day cloud tree grass book glasses hairband earrings necktie choker
    monochrome greyscale comic absurdres highres solo looking_at_viewer simple_background
    """.split()  # noqa: SIM905
)
_SENTENCE_END = re.compile(r"[.!?…。！？]['\"”』」)]*$")


@dataclass(slots=True)
class SideFacts:
    """The content of files next to a picture. Tags are by category in the order of the files, with underscores; names
    of characters are unchanged.

    `rating` is unchanged, with the `rating_scheme` of a known site; `captions` are sentences; `boxes` are relative face
    boxes (left, top, right, bottom, 0..1) in the order of `character`, if the file has one for each; `left` are texts
    that were not understood or not used.
    """

    character: tuple[str, ...] = ()
    copyright: tuple[str, ...] = ()
    artist: tuple[str, ...] = ()
    general: tuple[str, ...] = ()
    meta: tuple[str, ...] = ()
    rating: str = ""
    rating_scheme: str = ""
    score: int | None = None
    captions: tuple[str, ...] = ()
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    left: tuple[str, ...] = ()

    @property
    def has_tags(self) -> bool:
        """Whether there is a tag of any category."""
        return any(getattr(self, category) for category in CATEGORIES)

    @property
    def empty(self) -> bool:
        """Whether there is no content at all."""
        return not (self.has_tags or self.rating or self.captions or self.left) and self.score is None


@dataclass(slots=True)
class Gathered:
    """Collects parts of a text for `SideFacts`."""

    tags: dict[str, dict[str, None]] = field(default_factory=lambda: {name: {} for name in CATEGORIES})
    rating: str = ""
    score: int | None = None
    captions: dict[str, None] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def tag(self, category: str, text: str) -> None:
        """Add a tag, rating or score; anything else goes to `left`."""
        cleaned = clean(text)
        if not cleaned:
            return
        if category == "rating":
            self.rating = self.rating or cleaned[:40]
        elif category == "score":
            if (score := parse_score(cleaned)) is not None:
                self.score = score if self.score is None else self.score
            else:
                self.leave(f"score: {cleaned}")
        else:
            self._add(category, cleaned)

    def _add(self, category: str, cleaned: str) -> None:
        name = tag_spelling(cleaned, gap=" " if category == "character" else "_")
        if category == "character" and name.lower() in NOBODY:
            return
        if len(name) > TAG_CHARS_MAX or sum(map(len, self.tags.values())) >= TAGS_MAX:
            self.leave(cleaned)
        elif name:
            self.tags[category].setdefault(name)

    def sentence(self, text: str) -> None:
        """Add a caption; beyond the limits it goes to `left`."""
        cleaned = clean(text)
        if not cleaned:
            return
        if len(cleaned) > CAPTION_CHARS_MAX or len(self.captions) >= CAPTIONS_MAX:
            self.leave(cleaned)
        else:
            self.captions.setdefault(cleaned)

    def leave(self, text: str) -> None:
        """Store a text that was not understood."""
        self.left.append(text if len(text) <= 200 else f"{text[:200]}… ({len(text):,} characters)")

    def side_facts(self) -> SideFacts:
        """The collected content."""
        left = list(dict.fromkeys(self.left))
        if len(left) > LEFT_MAX:
            left = [*left[:LEFT_MAX], f"and {len(left) - LEFT_MAX:,} more"]
        facts = SideFacts(rating=self.rating, score=self.score, captions=tuple(self.captions), left=tuple(left))
        for name, tags in self.tags.items():
            setattr(facts, name, tuple(tags))
        return facts


def parse_text(text: str, known_tags: Known | None = None) -> SideFacts:
    """Parse a text of any form; never raises. `known_tags` looks up spellings in a vocabulary."""
    gathered = Gathered()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if _is_paragraph(lines):
        gathered.sentence(" ".join(lines))
        return gathered.side_facts()
    for line in lines:
        _read_line(gathered, line, alone=len(lines) == 1, known_tags=known_tags)
    return gathered.side_facts()


def _is_paragraph(lines: list[str]) -> bool:
    """Whether the lines are one wrapped text; lines that each end a sentence are separate captions."""
    if len(lines) < 2 or any(_heads(line) or _namespaced(line) for line in lines):
        return False
    if all(_SENTENCE_END.search(line) for line in lines) or not _SENTENCE_END.search(lines[-1]):
        return False
    long_lines = sum(len(line.split()) > TAG_WORDS_MAX // 2 for line in lines)
    return 2 * long_lines > len(lines) and is_prose(" ".join(lines))


def _read_line(gathered: Gathered, line: str, *, alone: bool, known_tags: Known | None) -> None:
    head = _heads(line)
    if head is not None:
        category, rest = head
        for part in split_tags(rest, known_tags, names=category not in ("general", "meta")):
            gathered.tag(category, part)
        return
    if is_prose(line) and not _namespaced(line):
        gathered.sentence(line)
        return
    parts = split_tags(line, known_tags)
    if alone and len(parts) == 1 and len(line.split()) > TAG_WORDS_MAX // 2 and not _is_known(line, known_tags):
        gathered.sentence(line)  # words without any sign of a tag: a caption loses and joins none of them
        return
    sentences: list[str] = []
    for part in parts:
        if _is_sentence(part):
            sentences.append(part.strip())
        else:
            _read_part(gathered, part)
    gathered.sentence(", ".join(sentences))


def _read_part(gathered: Gathered, part: str) -> None:
    """Add one entry of a list, with or without a namespace."""
    name, colon, rest = part.strip().partition(":")
    space = name.strip().lower()
    if colon and rest.strip() and space in _HEADS:
        gathered.tag(_HEADS[space], rest)
    elif colon and space in _ABOUT_FILES and rest.strip():
        gathered.leave(clean(part))
    elif match := _RATING.fullmatch(part.strip()):
        gathered.tag("rating", match[1])
    else:
        gathered.tag("general", part)


def _heads(line: str) -> tuple[str, str] | None:
    """Category and value of a line such as `character: a, b`; None for `character:a` and for a list of namespaces."""
    match = _HEAD.fullmatch(line)
    if match is None or match[1].lower() not in _HEADS:
        return None
    value = match[2]
    if value[:1] not in ("", " ", "\t") or len(_namespaced(value)):
        return None
    return _HEADS[match[1].lower()], value


def _namespaced(text: str) -> list[str]:
    """The known namespaces in a text."""
    return [name for name in _NAMESPACE.findall(text) if name.lower() in _HEADS]


def split_tags(text: str, known_tags: Known | None = None, *, names: bool = False) -> list[str]:
    """Split a list at commas; else at semicolons, unless the vocabulary has the whole text; else at spaces, if its
    words are tags. `names`: the entries are names of people or titles."""
    parts = _split_by_punctuation(text, known_tags)
    if len(parts) > 1 or parts != [text.strip()]:
        return parts
    words = text.split()
    if len(words) > 1 and _is_split_by_spaces(words, known_tags, names=names):
        return words
    return [text] if words else []


def _split_by_punctuation(text: str, known_tags: Known | None = None) -> list[str]:
    """Split a list at commas, or at semicolons if there are no commas."""
    text = text.strip()
    if _COMMAS.search(text):
        return [part for part in _COMMAS.split(text) if part.strip()]
    if not re.search("[;；]", text) or _is_known(text, known_tags):
        return [text] if text else []
    parts = [part for part in _SEMICOLONS.split(text) if part.strip()]
    tight = _TIGHT_SEMICOLONS.split(text) if len(parts) == 1 else []
    are_tags = len(tight) > 2 or (
        len(tight) == 2 and any(_PEOPLE.fullmatch(part) or _is_known(part, known_tags) for part in tight)
    )
    return tight if are_tags else parts


def _is_split_by_spaces(words: list[str], known_tags: Known | None, *, names: bool) -> bool:
    joined = "_".join(words)
    if any("_" in word.strip("_") and any(char.isalnum() for char in word) for word in words):
        return True
    if names:
        return False
    if any(_PEOPLE.fullmatch(word) for word in words) or len(_namespaced(" ".join(words))) > 1:
        return True
    lowered = {tag_spelling(word).lower() for word in words}
    if known_tags is not None and (in_vocabulary := known_tags({*lowered, joined.lower()})):
        return joined.lower() not in in_vocabulary and 2 * len(set(in_vocabulary) & lowered) > len(lowered)
    return 2 * len(lowered & _COMMON) >= len(lowered) and len(words) > 2


def _is_known(text: str, known_tags: Known | None) -> bool:
    name = tag_spelling(text).lower()
    return known_tags is not None and name in known_tags({name})


def is_prose(text: str) -> bool:
    """Whether a text is sentences rather than a list of tags."""
    if "。" in text:
        return True
    parts = _split_by_punctuation(text)
    words = text.split()
    if not words or any("_" in word for word in words if any(char.isalpha() for char in word)):
        return False
    bare_words = [word.strip(".!?,;:'\"").lower() for word in words]
    prose_words = sum(word in _PROSE for word in bare_words)
    if words[0][:1].isupper() and _SENTENCE_END.search(text.strip()) and (prose_words or len(words) > TAG_WORDS_MAX):
        return len(parts) <= max(2, len(words) // 3) or prose_words >= 2
    sentences = [part for part in parts if _is_sentence(part)]
    if 2 * len(sentences) < len(parts) and not words[0][:1].isupper():
        return False  # tags followed by a sentence
    return 2 * sum(len(part.split()) for part in sentences) > len(words)


def _is_sentence(part: str) -> bool:
    """Whether an entry of a comma list is a sentence rather than a tag."""
    words = part.split()
    if "_" in part:
        return False
    small = {word.strip(".!?;:'\"").lower() for word in words}
    return len(words) > TAG_WORDS_MAX or (len(words) > 3 and bool(small & _SENTENCES) and ":" not in part)


def tag_spelling(text: str, *, gap: str = "_") -> str:
    """A tag with underscores (`gap`) and unescaped brackets, without the weight of `(tag:1.2)`."""
    if match := _SCORED.fullmatch(text):
        text = match[1]
    return text.replace("\\(", "(").replace("\\)", ")").replace(" ", gap)


def clean(text: str) -> str:
    """One line without control and direction characters."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") else c for c in text)
    return " ".join(normal(visible).split())


def parse_score(text: str) -> int | None:
    """A score: an integer of up to nine digits with an optional sign; None for other text."""
    match = re.fullmatch(r"[+-]?\d{1,9}", text.strip())
    return int(match[0]) if match else None


def merged(parts: Iterable[SideFacts]) -> SideFacts:
    """Merge files: all tags, captions and remaining texts once each; rating, score and boxes of the first with any."""
    total = SideFacts()
    for part in parts:
        for name in (*CATEGORIES, "captions", "left"):
            setattr(total, name, tuple(dict.fromkeys((*getattr(total, name), *getattr(part, name)))))
        if not total.rating and part.rating:
            total.rating, total.rating_scheme = part.rating, part.rating_scheme
        total.score = part.score if total.score is None else total.score
        # Boxes belong to the names of one file.
        total.boxes = total.boxes or (part.boxes if total.character == part.character else ())
    return total
