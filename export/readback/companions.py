"""Companion files of a dataset's pictures (JSON, caption, mask), found by name in any folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from export.algorithms.filenames import same_name_key
from export.formats.masks import FOLDER, LABEL, VISIBLE_FOLDER

_META = "_meta.json"  # v2's `.NAME_meta.json`
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Companion:
    """A file of the picture `stem`; `kind` distinguishes its files. `to` is its place beside the picture, if known."""

    stem: str
    kind: str
    path: str
    to: str = ""


def companion_of(parts: _Path, stems: Mapping[str, str]) -> Companion | None:
    """Return the companion for a path; None if it belongs to no picture. `stems`: key of a name -> stem in the
    dataset."""
    name = parts[-1]
    if name.startswith("."):
        owner, kind = (name[1 : -len(_META)], _META) if name.endswith(_META) else ("", "")
    else:
        owner, dot, ending = name.partition(".")  # stems hold no dot
        kind = (dot + ending).lower()
        if owner.endswith(LABEL):
            owner, kind = owner.removesuffix(LABEL), LABEL + kind
    stem = stems.get(same_name_key(owner)) if owner else None
    if stem is None:
        return None
    top = FOLDER if FOLDER in parts[:-1] else VISIBLE_FOLDER if VISIBLE_FOLDER in parts[:-1][:1] else ""
    return Companion(stem, f"{top}/{kind}" if top else kind, "/".join(parts))


def misplaced_in(
    companions: Iterable[Companion], where: Mapping[str, _Path]
) -> tuple[list[Companion], list[tuple[str, str]]]:
    """Return the companions that are away from their picture, and duplicate files with a message.

    `where`: stem -> path of the picture, as its parts.
    """
    kinds: dict[tuple[str, str], list[Companion]] = defaultdict(list)
    for row in companions:
        if row.stem in where:
            kinds[(row.stem, row.kind)].append(row)
    misplaced: list[Companion] = []
    doubled: list[tuple[str, str]] = []
    for (stem, kind), rows in kinds.items():
        to = _place(rows[0], where[stem])
        if len(rows) > 1:
            places = " and ".join(row.path for row in rows)
            doubled.append(("/".join(where[stem]), f"has {len(rows)} files of one kind, {places}; keep one of them"))
        elif same_name_key(rows[0].path) != same_name_key(to):
            misplaced.append(Companion(stem, kind, rows[0].path, to))
    return misplaced, doubled


def _place(row: Companion, picture: _Path) -> str:
    """Return where a companion belongs: beside its picture, or at the picture's path below the mask folder."""
    top = row.kind.split("/")[:-1]
    return "/".join((*top, *picture[:-1], row.path.rpartition("/")[2]))
