"""Spelling of characters in folder names: always unique, and never a reserved word."""

from __future__ import annotations

import re
from collections.abc import Iterable

from export.algorithms.filenames import (
    JOINER,
    JOINER_IN_NAME,
    NAME_BYTES_MAX,
    cut_name,
    safe_name,
    same_name_key,
)

OTHERS = "others"
CHARACTER_OTHERS = "character_others"
NOBODY = frozenset({OTHERS, "0_characters", "ood", "unknown", "no_characters"})
SHORT_BYTES = 12  # of a name in the short form; six joined ones stay below the limit of a folder
LEVEL_JOINER = "~"  # joins the levels of kohya's flat folders
LEVEL_JOINER_IN_NAME = "\uff5e"
_COUNT = re.compile(r"(?:(\d+)(\+?)|many)_(person|people|faces?|characters?|charcters)")


def spell(names: Iterable[str], *, short: bool = False) -> dict[str, str]:
    """Return each name's folder spelling: safe on every file system, without dots (reference 1.7) and `+`.

    Injective, also where case or normal form do not count: of two names with one spelling the second is numbered
    (`MrX`, `MrX~2` for `Mr.X`). A name that is safe as it is keeps its spelling; words with a meaning (`others`,
    `2_characters`) are numbered. The same names give the same spellings in any order. `short`: at most SHORT_BYTES.
    """
    safe_names = {name: safe_character_name(name) for name in names}
    taken: set[str] = set()
    last: dict[str, int] = {}
    spelled: dict[str, str] = {}
    limit = SHORT_BYTES if short else NAME_BYTES_MAX
    for name in sorted(safe_names, key=lambda entry: (safe_names[entry] != entry, entry)):
        wish = cut_name(safe_names[name], limit)
        key = spelling_key(wish)
        candidate, number = wish, last.get(key, 1)
        while spelling_key(candidate) in taken or has_meaning(candidate):
            number += 1
            ending = f"~{number}"
            candidate = cut_name(wish, limit - len(ending)) + ending
        last[key] = number
        taken.add(spelling_key(candidate))
        spelled[name] = candidate
    return spelled


def safe_character_name(name: str) -> str:
    """Return the preferred spelling of a name: no dots (reference 1.7), and no plus, which would read as two names."""
    return safe_name(name.replace(".", "").replace(JOINER, JOINER_IN_NAME))


def spelling_key(text: str) -> str:
    """Return a key that is equal for spellings that collide on file systems or in kohya's folders joined by `~`."""
    return same_name_key(text.replace(LEVEL_JOINER, LEVEL_JOINER_IN_NAME))


def has_meaning(text: str) -> bool:
    """Return whether a folder name means something other than its characters."""
    key = spelling_key(text)
    return key in NOBODY or key == CHARACTER_OTHERS or _COUNT.fullmatch(key) is not None


def count_in(name: str) -> tuple[int, bool] | None:
    """Parse the number in a count folder and whether it is open-ended: `2_people`, `6+_characters`, old `6+_charcters`.

    None for any other folder.
    """
    match = _COUNT.fullmatch(name)
    if match is None:
        return (0, False) if name in NOBODY else None
    return int(match.group(1) or 6), match.group(1) is None or bool(match.group(2))
