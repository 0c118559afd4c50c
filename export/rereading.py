"""Reads a data set back that a person re-sorted by hand: which pictures lie elsewhere now, and who is in them then."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.algorithms import captions, metadata
from export.algorithms.reread import format_tokens, read_folder
from export.formats.kohya import SEPARATOR
from export.formats.masks import is_mask
from export.formats.pictures import ENDINGS
from export.recipe import Recipe, RecipeError, parse
from export.sinks import FolderSink, files_below
from export.stages.build import MANIFEST
from ingest.errors import BadInput

_PICTURES = frozenset(ENDINGS.values()) | {".jpeg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A picture whose folder says something else than the data set did. `problem` when it cannot be understood."""

    stem: str
    key: str
    path: str
    before: tuple[str, ...]
    now: tuple[str, ...] = ()
    problem: str = ""

    @property
    def is_crop(self) -> bool:
        return ":crop" in self.key


@dataclass(frozen=True, slots=True)
class ReadBack:
    """All that moved, how many pictures still lie where they were, and which are new or gone."""

    moved: tuple[Moved, ...]
    unchanged: int
    gone: tuple[str, ...]
    unknown: tuple[str, ...]


def read_back(folder: Path, *, format_text: str = "", known: Collection[str] = ()) -> ReadBack:
    """Compare a folder with its manifest. `format_text` as `*/character/*`, by default the levels it was made by.

    `known` names must hold every character found, when given. Raises BadInput when this is no data set of Koma.
    """
    data, recipe = manifest_of(folder)
    try:
        tokens = format_tokens(format_text or recipe.arrange.format)
    except ValueError as error:
        raise BadInput(str(error)) from error
    pictures: Mapping[str, Mapping[str, Any]] = data["pictures"]
    spelled = _spellings(pictures.values(), tokens)
    moved: list[Moved] = []
    unknown: list[str] = []
    seen: set[str] = set()
    unchanged = 0
    for path in files_below(folder):
        relative = path.relative_to(folder)
        if path.suffix.lower() not in _PICTURES or is_mask(relative.parts):
            continue
        entry = pictures.get(path.stem)
        if entry is None or path.stem in seen:
            unknown.append(relative.as_posix())
            continue
        seen.add(path.stem)
        parts = _levels(relative.parts[:-1])
        before = tuple(entry["characters"])
        if parts == _levels(tuple(part for part in str(entry["folder"]).split("/") if part)):
            unchanged += 1
            continue
        common: dict[str, Any] = {
            "stem": path.stem,
            "key": str(entry["key"]),
            "path": relative.as_posix(),
            "before": before,
        }
        try:
            now = _characters(parts, tokens, spelled, known)
        except ValueError as error:
            moved.append(Moved(**common, problem=str(error)))
            continue
        if now is None or set(now) == set(before):
            unchanged += 1
        else:
            moved.append(Moved(**common, now=now))
    gone = tuple(sorted(set(pictures) - seen))
    return ReadBack(tuple(moved), unchanged, gone, tuple(unknown))


def correct_files(folder: Path, moved: Iterable[Moved]) -> int:
    """Write the new characters into the JSON of moved pictures, and into captions that no person changed.

    Returns how many pictures were corrected.
    """
    _, recipe = manifest_of(folder)
    sink = FolderSink(folder)
    corrected = 0
    for one in moved:
        base = one.path.rpartition(".")[0]
        path = folder / f"{base}.json"
        if one.problem or not path.is_file():
            continue
        try:
            body = json.loads(path.read_text("utf-8"))
            old = metadata.read(body)
            name = "characters" if "characters" in body or "character" not in body else "character"
            body[name] = list(one.now)
            new = metadata.read(body)
        except (ValueError, AttributeError) as error:
            raise BadInput(f"{one.path}: its JSON cannot be read ({error}). Mend or delete it.") from error
        text = folder / f"{base}{recipe.output.caption_ending}"
        made = captions.caption(old, recipe.caption, key=one.key)
        if text.is_file() and text.read_text("utf-8").strip() == made:
            sink.write(
                f"{base}{recipe.output.caption_ending}", captions.caption(new, recipe.caption, key=one.key).encode()
            )
        sink.write(f"{base}.json", json.dumps(body, ensure_ascii=False).encode() + b"\n")
        corrected += 1
    return corrected


def manifest_of(folder: Path) -> tuple[dict[str, Any], Recipe]:
    """The manifest of a data set and its recipe. Raises BadInput when it is missing or broken."""
    path = folder / MANIFEST
    try:
        data = json.loads(path.read_text("utf-8"))
        recipe = parse(data["recipe"])
        for entry in data["pictures"].values():
            if not isinstance(entry["folder"], str) or not all(isinstance(n, str) for n in entry["characters"]):
                raise TypeError("entries of other types")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecipeError) as error:
        raise BadInput(
            f"{folder.name}: this is no data set of Koma, its {MANIFEST} cannot be read ({type(error).__name__}). "
            "Choose the folder that an export wrote."
        ) from error
    return data, recipe


def _levels(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The levels of a folder; kohya's `12_a~b` is `a/b`."""
    if len(parts) == 1 and SEPARATOR in parts[0]:
        number, _, rest = parts[0].partition("_")
        return tuple((rest if number.isdigit() else parts[0]).split(SEPARATOR))
    return parts


def _spellings(entries: Iterable[Mapping[str, Any]], tokens: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Folder names of the data set -> whose they are; names that were numbered or cut can only be read this way."""
    spelled: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        name = _at_character(_levels(tuple(part for part in str(entry["folder"]).split("/") if part)), tokens)
        if name is not None and entry["characters"] and name != "character_others":
            spelled[name] = tuple(sorted(entry["characters"]))
    return spelled


def _at_character(parts: tuple[str, ...], tokens: tuple[str, ...]) -> str | None:
    pairs = zip(reversed(tokens), reversed(parts), strict=False)
    return next((name for token, name in pairs if token == "character"), None)


def _characters(
    parts: tuple[str, ...], tokens: tuple[str, ...], spelled: Mapping[str, tuple[str, ...]], known: Collection[str]
) -> tuple[str, ...] | None:
    name = _at_character(parts, tokens)
    if name is not None and name in spelled:
        return spelled[name]
    return read_folder(parts, tokens, known).characters


def by_key(moved: Iterable[Moved]) -> Iterator[tuple[str, int, Moved]]:
    """Source hash prefix and frame index of each moved picture that is no crop and was understood."""
    for one in moved:
        source, _, index = one.key.partition(":")
        if not one.problem and not one.is_crop and index.isdigit():
            yield source, int(index), one
