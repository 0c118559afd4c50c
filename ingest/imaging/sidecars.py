"""Finds the tag files next to a picture and merges their content."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from ingest.imaging.side_json import parse_json, parse_toml
from ingest.imaging.side_text import Known, SideFacts, clean, merged, parse_text

logger = logging.getLogger(__name__)

TEXT_BYTES_MAX = 1 << 20
FILES_MAX = 8  # per picture
SIDE_ENDINGS = frozenset(
    {"json", "toml", "tags", "tag", "processed_tags", "characters", "subjects", "txt", "caption", "cap"}
)
# Written by Koma for a whole folder.
OF_FOLDERS = frozenset(
    {
        *("multiply.txt", "dataset.json", "how_to_start.md", "dataset.toml", "concepts.json", "datasets.yaml"),
        *("multidatabackend.json", "dataset.yaml", "caption_template.txt"),
    }
)
_STRUCTURED = ("json", "facedata.json", "toml")
_TAGS = ("tags", "tag", "processed_tags")
_NAMES = ("characters", "subjects")
_LOOSE = ("txt", "caption", "cap")  # their tags count if no other file has any, their sentences always


def is_side_file(name: str) -> bool:
    """Whether a file may describe a picture, by its name without folders."""
    ending = name.rpartition(".")[2].lower()
    if name.lower() in OF_FOLDERS:
        return True
    return ending in SIDE_ENDINGS and (not name.startswith(".") or name.lower().endswith("_meta.json"))


class SideFiles:
    """Finds the tag files of pictures among many names, ignoring case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_name: dict[str, list[str]] = {}
        for name in names:
            self._by_name.setdefault(name.casefold(), []).append(name)
        self._claimed: set[str] = set()

    def of(self, picture: str) -> list[str]:
        """The tag files of a picture, at most FILES_MAX, the most specific kinds first."""
        folder, slash, name = picture.rpartition("/")
        stem = name.rpartition(".")[0] or name
        candidates = [f"{base}.{ending}" for ending in ("json",) for base in (name, stem)]
        candidates += [f".{stem}_meta.json", f"{stem}_meta.json"]  # uploads have no names that begin with a dot
        rest = (*_STRUCTURED[1:], *_TAGS, *_NAMES, *_LOOSE)
        candidates += [f"{base}.{ending}" for ending in rest for base in (name, stem)]
        names: list[str] = []
        for candidate in candidates:
            names += self._by_name.get(f"{folder}{slash}{candidate}".casefold(), [])
        self._claimed.update(names)
        return names[:FILES_MAX]

    def unclaimed(self) -> list[str]:
        """Files that belong to no requested picture, except those for whole folders."""
        names = (name for names in self._by_name.values() for name in names)
        return sorted(
            name for name in names if name not in self._claimed and name.rpartition("/")[2].lower() not in OF_FOLDERS
        )


def parse_side_files(files: Sequence[tuple[str, bytes]], known_tags: Known | None = None) -> SideFacts:
    """Merge the tag files (name, content) of a picture in the order of `SideFiles.of`; never raises.

    Tags in plain texts are ignored if another file has tags; `left` says so, and which files are unreadable.
    `known_tags` looks up spellings in a vocabulary.
    """
    parts: list[SideFacts] = []
    tags_of = ""
    for name, data in files:
        side_facts, ending = parse_side_file(name, data, known_tags), _ending(name)
        short = name.rpartition("/")[2]
        if ending in _LOOSE and tags_of and side_facts.has_tags:
            side_facts = SideFacts(
                captions=side_facts.captions, rating=side_facts.rating, score=side_facts.score,
                left=(*side_facts.left, f"{short}: tags ignored, since {tags_of} has tags"),
            )  # fmt: skip
        elif ending not in _NAMES and side_facts.has_tags:
            tags_of = tags_of or short
        parts.append(side_facts)
    return merged(parts)


def parse_side_file(name: str, data: bytes, known_tags: Known | None = None) -> SideFacts:
    """Parse one tag file; never raises. `left` says what is unreadable."""
    short, ending = name.rpartition("/")[2], _ending(name)
    cut = len(data) > TEXT_BYTES_MAX
    try:
        text = decoded(data)
        if ending in _STRUCTURED:
            side_facts = (parse_toml if ending == "toml" else parse_json)(text, known_tags)
        elif ending in _NAMES:
            names = [clean(part) for line in text.splitlines() for part in line.replace(";", ",").split(",")]
            side_facts = parse_text(f"character: {', '.join(filter(None, names))}") if any(names) else SideFacts()
        else:
            side_facts = _json_or_text(text, known_tags)
    except ValueError as error:
        side_facts = SideFacts(left=(f"{short}: {error}",))
    except Exception as error:  # one unexpected file must not stop the stage
        logger.warning("a tag file was not understood: %s", clean(short), exc_info=True)
        side_facts = SideFacts(left=(f"{short}: not understood ({type(error).__name__})",))
    if cut:
        side_facts.left = (*side_facts.left, f"{short}: only the first {TEXT_BYTES_MAX:,} bytes were read")
    return side_facts


def decoded(data: bytes) -> str:
    """Decode a file: UTF-8, UTF-16 with a byte order mark, else Japanese Windows."""
    data = data[:TEXT_BYTES_MAX]
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("utf-8", "replace")


def _json_or_text(text: str, known_tags: Known | None) -> SideFacts:
    if text.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(text, known_tags)
        except ValueError:
            pass
    return parse_text(text, known_tags)


def _ending(name: str) -> str:
    lower = name.lower()
    return "facedata.json" if lower.endswith(".facedata.json") else lower.rpartition(".")[2]
