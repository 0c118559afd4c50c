"""Tag lists for filtering, of implied and of unwanted tags, as uploaded or from the hub."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from annotate.backends.taggers.label_lists import spelt
from ingest import humane, outside_json
from ingest.algorithms.typed_lists import ListError, decode_text, every_entry
from ingest.errors import BadInput

FOLDER = "tag_filtering"
OVERLAPS = ("overlap_tags_simplified.json", "overlap_tags.json")
UNWANTED = "blacklist_tags.txt"
FILE_MAX = 16 << 20  # bytes
NAME_MAX = 200  # characters of a tag
SHOWN = 3  # examples in a warning

Overlaps = dict[str, frozenset[str]]


@dataclass(slots=True)
class Parsed:
    """A parsed list: either `overlaps` or `unwanted`; `notes` describe oddities."""

    overlaps: Overlaps = field(default_factory=dict)
    unwanted: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """The number of tags in the list."""
        return len(self.overlaps) + len(self.unwanted)


def parse_overlaps(data: bytes, *, name: str) -> Parsed:
    """Parse more specific tags by tag: {tag: [...]} or [{"query": tag, "has_overlap": [...]}, ...].

    A tag is dropped when the picture has a more specific one. Raises BadInput naming the wrong entry.
    """
    try:
        parsed_json = outside_json.parsed(_text(data, name))
    except ValueError as error:
        raise BadInput(
            f'{name} is not JSON: {error}. A list of implied tags looks like {{"hair": ["long hair"]}}.'
        ) from error
    overlaps: dict[str, set[str]] = {}
    for place, (tag, others) in enumerate(_entries(parsed_json, name), 1):
        if not isinstance(tag, str) or not isinstance(others, list) or not all(isinstance(o, str) for o in others):
            raise BadInput(
                f"{name}, entry {place} ({_short(tag)}): it must be a tag with a list of more specific tags."
            )
        tag_name = _tag(tag, f"{name}, entry {place}")
        overlaps.setdefault(tag_name, set()).update(
            _tag(other, f"{name}, entry {place} ({tag_name})") for other in others
        )
    alone = sorted(tag for tag, others in overlaps.items() if tag in others)
    clean = {tag: frozenset(others - {tag}) for tag, others in overlaps.items() if others - {tag}}
    if not clean:
        raise BadInput(f"{name} has no tag with more specific tags.")
    parsed = Parsed(overlaps=clean)
    if alone:
        parsed.notes.append(f"Left out, since no tag implies itself: {_first_names(alone)}.")
    both = sorted(
        f"{tag} and {other}" for tag in clean for other in clean[tag] if tag < other and tag in clean.get(other, ())
    )
    if both:
        parsed.notes.append(f"{_first_names(both)} imply each other: where both are present, both are dropped.")
    return parsed


def parse_unwanted(data: bytes, *, name: str) -> Parsed:
    """Parse tags, one per line or separated by commas. Raises BadInput naming the wrong line."""
    tags: dict[str, None] = {}
    twice: dict[str, None] = {}  # in order
    text = _text(data, name)
    if text.lstrip()[:1] in ("[", "{"):
        raise BadInput(f"{name} looks like JSON; a list of unwanted tags is a text file with one tag per line.")
    try:
        entries = every_entry(text)
    except ListError as error:
        raise BadInput(f"{name}, {error.message}.") from error
    for entry in entries:
        tag = _tag(entry.text, f"{name}, line {entry.line}")
        if tag in tags:
            twice[tag] = None
        tags[tag] = None
    if not tags:
        raise BadInput(f"{name} holds no tags; it must have one per line.")
    return Parsed(
        unwanted=tuple(tags), notes=[f"{_first_names(list(twice))} occurred more than once."] if twice else []
    )


def installed_file(models_dir: Path, *, included: bool) -> Path | None:
    """Return the list installed in the models folder, if any."""
    names = OVERLAPS if included else (UNWANTED,)
    return next((path for name in names if (path := models_dir / FOLDER / name).is_file()), None)


def read_file(path: Path) -> bytes:
    """Read the bytes of a list. Raises BadInput when it cannot be read or is too large."""
    try:
        if path.stat().st_size > FILE_MAX:
            size, limit = humane.filesize(path.stat().st_size), humane.filesize(FILE_MAX)
            raise BadInput(f"{path} is {size}; a tag list may have at most {limit}.")
        return path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error


def digest(data: bytes) -> str:
    """Return a digest that identifies a list."""
    return sha256(data).hexdigest()[:16]


def _entries(parsed: Any, name: str) -> list[tuple[Any, Any]]:
    if isinstance(parsed, dict):
        return list(parsed.items())
    if isinstance(parsed, list) and all(isinstance(entry, dict) for entry in parsed):
        return [(entry.get("query"), entry.get("has_overlap") or []) for entry in parsed]
    raise BadInput(
        f'{name} holds no lists of tags by tag. It must look like {{"hair": ["long hair"]}} or '
        '[{"query": "hair", "has_overlap": ["long hair"]}].'
    )


def _tag(text: str, where: str) -> str:
    tag = spelt(text)
    if not tag or len(tag) > NAME_MAX or not tag.isprintable():
        raise BadInput(f"{where}: {_short(text)} cannot be a tag.")
    return tag


def _text(data: bytes, name: str) -> str:
    if len(data) > FILE_MAX:
        raise BadInput(
            f"{name} is {humane.filesize(len(data))}; a tag list may have at most {humane.filesize(FILE_MAX)}."
        )
    try:
        return decode_text(data)
    except ListError as error:
        raise BadInput(f"{name}: {error.message}. Save it as UTF-8.") from error


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _first_names(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return f"{', '.join(names[:SHOWN])}{more}"
