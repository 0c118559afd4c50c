"""What a re-sorted folder says: its names read back into facts (`correct_metadata_from_foldername`)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

from export.algorithms.filenames import JOINER, JOINER_IN_NAME, safe_character_name, same_name_key
from export.algorithms.levels import CHARACTER_OTHERS, OTHERS

TOKENS = ("*", "character", "n_characters", "n_faces", "n_people", "fh_ratio", "series", "image_type", "episode")
_COUNT = re.compile(r"(?:(\d+)\+?|many)_(person|people|faces?|characters?|charcters)")
_NOBODY = frozenset({OTHERS, "0_characters", "ood", "unknown", "no_characters"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderFacts:
    """What a folder says; None where it says nothing. `characters` empty: nobody known is in it."""

    characters: tuple[str, ...] | None = None
    n_faces: int | None = None
    n_people: int | None = None
    n_characters: int | None = None


def format_tokens(text: str) -> tuple[str, ...]:
    """Tokens of a reading format such as `*/character/*`; ValueError for an unknown one."""
    tokens = tuple(part.strip() for part in text.strip().strip("/").split("/") if part.strip())
    for token in tokens:
        if token not in TOKENS:
            raise ValueError(f"format: {token!r} cannot be read back; choose from {', '.join(TOKENS)}")
    return tokens


def read_folder(folders: tuple[str, ...], tokens: tuple[str, ...], known: Collection[str] = ()) -> FolderFacts:
    """Read the folders of a file from right to left along the tokens.

    With `known` names every character must be one of them, as written or as its folder spells it; a name that is
    not raises ValueError. A picture below `others` has fewer folders than tokens: then nobody known is in it.
    """
    if OTHERS in folders and "character" in tokens:
        return FolderFacts(characters=(), n_characters=0)
    found: dict[str, object] = {}
    for token, name in zip(reversed(tokens), reversed(folders), strict=False):
        if token == "character":
            found["characters"] = _characters(unicodedata.normalize("NFC", name), known)
        elif token in ("n_faces", "n_people", "n_characters"):
            found[token] = count_in(name)
    return FolderFacts(**found)  # type: ignore[arg-type]


def count_in(name: str) -> int | None:
    """The number in a count folder: `2_people`, `1_face`, `6+_characters` and the old `6+_charcters`; None else."""
    match = _COUNT.fullmatch(name)
    if match is None:
        return 0 if name in _NOBODY else None
    return int(match.group(1) or 6)


def _characters(name: str, known: Collection[str]) -> tuple[str, ...] | None:
    if name == CHARACTER_OTHERS:
        return None  # too few pictures for an own folder: the folder does not say who
    if name in _NOBODY:
        return ()
    spelled = {same_name_key(safe_character_name(entry)): entry for entry in sorted(known, reverse=True)}
    names = []
    for part in name.split(JOINER):
        plain = part.strip()
        entry = spelled.get(same_name_key(plain))
        if known and entry is None:
            raise ValueError(f"{plain!r} is no known character (folder {name!r})")
        names.append(entry or plain.replace(JOINER_IN_NAME, JOINER))
    return tuple(dict.fromkeys(name for name in names if name))
