"""Reading facts back from the names of re-sorted folders (`correct_metadata_from_foldername`)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from export.algorithms.filenames import JOINER, JOINER_IN_NAME
from export.algorithms.levels import RATIO, SHORT_RATIO
from export.algorithms.spelling import (
    CHARACTER_OTHERS,
    NOBODY,
    OTHERS,
    count_in,
    has_meaning,
    safe_character_name,
    spelling_key,
)
from ingest.algorithms.normal_form import normal

TOKENS = ("*", "character", "n_characters", "n_faces", "n_people", "fh_ratio", "series", "image_type", "episode")
_COUNTS = ("n_characters", "n_faces", "n_people")
_RATIO = re.compile(rf"(?:{RATIO}|{SHORT_RATIO})\d{{1,3}}-\d{{1,3}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """Facts from a folder. `characters`: None if it names none, empty if it says that no known character is in it.

    `new`: characters that are neither in the dataset nor in a list of known names.
    """

    characters: tuple[str, ...] | None = None
    new: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spellings:
    """Characters by spelling: key of a spelling -> its characters (more than one: ambiguous).

    `closed`: an unknown name is a mistake, not a new character.
    """

    names: Mapping[str, tuple[str, ...]]
    closed: bool = False

    @classmethod
    def of(cls, exact: Mapping[str, str], known: Collection[str] = ()) -> Spellings:
        """Build from a manifest's spellings and a list of known names, as written or as spelled in folders."""
        names: dict[str, tuple[str, ...]] = {spelling_key(text): (name,) for text, name in exact.items()}
        if not known:
            return cls(names=names)
        known_keys = {spelling_key(name) for name in known}
        allowed = {key: people for key, people in names.items() if spelling_key(people[0]) in known_keys}
        for key, people in by_safe_name(known).items():
            # The manifest's spellings take precedence over any other match.
            if key not in names:
                allowed.setdefault(key, people)
        return cls(names=allowed, closed=True)


def by_safe_name(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return, by the key of each name as written and as spelled in folders, the possible names, sorted."""
    names_by_key: dict[str, set[str]] = defaultdict(set)
    for name in names:
        names_by_key[spelling_key(safe_character_name(name))].add(name)
    return {key: tuple(sorted(entries)) for key, entries in names_by_key.items()}


def format_tokens(text: str) -> tuple[str, ...]:
    """Parse the tokens of a format such as `*/character/*`. Raises ValueError for an unknown one."""
    tokens = tuple(part.strip() for part in text.strip().strip("/").split("/") if part.strip())
    for token in tokens:
        if token not in TOKENS:
            raise ValueError(f"format: {token!r} cannot be read back; choose from {', '.join(TOKENS)}")
    return tokens


def read_folder(folders: tuple[str, ...], tokens: tuple[str, ...], spellings: Spellings) -> FolderFacts:
    """Read the folders of a file from right to left along the tokens.

    A picture below `others` has no character level: then it has no known character. Raises ValueError for folders that
    do not match the tokens, contradict each other, or have an ambiguous name.
    """
    if "character" not in tokens:
        return FolderFacts()
    levels = _levels(tuple(normal(name) for name in folders), tokens)
    for token, name in levels.items():
        matches_token = (
            count_in(name) is not None if token in _COUNTS else token != "fh_ratio" or _RATIO.fullmatch(name)
        )
        if not matches_token:
            raise ValueError(f"folder {name!r} is where {token} is expected ({'/'.join(tokens)})")
    if "character" not in levels:
        return FolderFacts(characters=()) if OTHERS in folders else FolderFacts()
    facts = _characters(levels["character"], spellings)
    _check_count(levels.get("n_characters"), facts)
    return facts


def _levels(folders: tuple[str, ...], tokens: tuple[str, ...]) -> dict[str, str]:
    """Return folder names by token; below `others` there is no character level."""
    others = tuple(token for token in tokens if token != "character")
    shorter = _pairs(folders, others)
    if shorter.get("n_characters") == OTHERS:
        return shorter | {"character": OTHERS}
    return _pairs(folders, tokens)


def _pairs(folders: tuple[str, ...], tokens: tuple[str, ...]) -> dict[str, str]:
    pairs = zip(reversed(tokens), reversed(folders), strict=False)
    return {token: name for token, name in pairs if token != "*"}


def _check_count(folder: str | None, facts: FolderFacts) -> None:
    counted = count_in(folder) if folder is not None else None
    if counted is None or facts.characters is None:
        return
    (count, or_more), named = counted, len(facts.characters)
    if named < count or (named > count and not or_more):
        who = " and ".join(facts.characters) or "nobody known"
        raise ValueError(f"folder {folder!r} contradicts the one below it, which says {who}")


def _characters(name: str, spellings: Spellings) -> FolderFacts:
    if name == CHARACTER_OTHERS:
        return FolderFacts()  # too few pictures for an own folder: it does not say who
    if name in NOBODY:
        return FolderFacts(characters=())
    names: list[str] = []
    new: list[str] = []
    for part in name.split(JOINER):
        spelling = part.strip()
        if not spelling:
            raise ValueError(f"folder {name!r} has no name next to a {JOINER!r}")
        matches = spellings.names.get(spelling_key(spelling), ())
        if len(matches) > 1:
            raise ValueError(f"{spelling!r} could be {' or '.join(matches)} (folder {name!r})")
        if not matches and spellings.closed:
            raise ValueError(f"{spelling!r} is not a known character (folder {name!r})")
        if not matches and has_meaning(spelling):
            raise ValueError(f"{spelling!r} is not a character's name (folder {name!r})")
        who = matches[0] if matches else spelling.replace(JOINER_IN_NAME, JOINER)
        names.append(who)
        if not matches:
            new.append(who)
    return FolderFacts(characters=tuple(dict.fromkeys(names)), new=tuple(dict.fromkeys(new)))
