"""Comparing a re-sorted dataset with its manifest: which pictures were moved, and which characters that implies.

Nothing is guessed: ambiguous pictures are listed as open, with the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.algorithms.filenames import same_name_key
from export.algorithms.levels import levels_of
from export.algorithms.readback import FolderFacts, Spellings, by_safe_name, format_tokens, read_folder
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.algorithms.spelling import CHARACTER_OTHERS, spelling_key
from export.build.sinks import files_below
from export.build.summary import MANIFEST
from export.formats.masks import is_mask
from export.formats.registry import format_of
from export.readback.companions import Companion, companion_of, misplaced_in
from ingest import outside_json
from ingest.errors import BadInput
from ingest.imaging.formats import PICTURE_SUFFIXES

_Path = tuple[str, ...]
MANIFEST_BYTES_MAX = 2**30  # one line per picture
INDEX_DIGITS_MAX = 9  # digits of a frame's index


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A picture whose folder differs in meaning from the one in the manifest.

    `new`: names unknown to the dataset. `by_person`: names that people had given when it was built; None if the
    manifest, of an older version, does not state them.
    """

    stem: str
    key: str
    path: str
    before: tuple[str, ...]
    now: tuple[str, ...]
    new: tuple[str, ...] = ()
    by_person: frozenset[str] | None = None

    @property
    def is_crop(self) -> bool:
        return ":crop" in self.key


@dataclass(frozen=True, slots=True)
class Open:
    """A file that could not be read, corrected or applied, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """`moved`: pictures with new meanings. `open`: ambiguous ones. `apart`: files away from their picture.

    `unchanged` pictures are where they were, `elsewhere` in other folders of the same meaning; `gone` are deleted.
    """

    moved: tuple[Moved, ...]
    open: tuple[Open, ...]
    misplaced: tuple[Companion, ...]
    unchanged: int
    elsewhere: int
    gone: tuple[str, ...]


def read_back(folder: Path, *, format_text: str = "", known: Collection[str] = ()) -> ReadBack:
    """Compare a folder with its manifest. `format_text` as `*/character/*`, by default the levels it was made by.

    With `known` names every character must be one of them. Raises BadInput when this is not a Koma dataset, or for
    an unknown token.
    """
    data, recipe = manifest_of(folder)
    try:
        tokens = format_tokens(format_text or "/".join(levels_of(recipe.arrange.format)))
    except ValueError as error:
        raise BadInput(str(error)) from error
    reader = _Reader(data, recipe, tokens, known)
    pictures: dict[str, list[_Path]] = defaultdict(list)
    companions: list[Companion] = []
    stems = {same_name_key(stem): stem for stem in data["pictures"]}
    open_: list[Open] = []
    for path in files_below(folder):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() in PICTURE_SUFFIXES and not is_mask(parts):
            stem = stems.get(same_name_key(path.stem))
            if stem is None:
                open_.append(Open("/".join(parts), "not a picture of this dataset, or renamed; it was left unchanged"))
            else:
                pictures[stem].append(parts)
        elif (companion := companion_of(parts, stems)) is not None:
            companions.append(companion)
    where: dict[str, _Path] = {}
    for stem, paths in pictures.items():
        if len(paths) == 1:
            where[stem] = paths[0]
        else:
            places = " and ".join("/".join(parts) for parts in paths)
            open_.append(Open(stem, f"lies in {len(paths)} places, {places}; keep one of them"))
    misplaced, doubled = misplaced_in(companions, where)
    moved, unclear, unchanged, elsewhere = reader.compare(where)
    return ReadBack(
        moved=tuple(moved),
        open=(*open_, *unclear, *(Open(path, reason) for path, reason in doubled)),
        misplaced=tuple(misplaced),
        unchanged=unchanged,
        elsewhere=elsewhere,
        gone=tuple(sorted(set(data["pictures"]) - set(pictures))),
    )


class _Reader:
    """Interpretation of one dataset's folders."""

    def __init__(self, data: Mapping[str, Any], recipe: Recipe, tokens: _Path, known: Collection[str]) -> None:
        self.pictures: Mapping[str, Mapping[str, Any]] = data["pictures"]
        self.tokens = tokens
        self.layout = format_of(recipe)
        self.levels = {
            _folder_key(tuple(_parts(row["folder"]))): tuple(row["levels"])
            for row in data.get("folders", ())
            if "levels" in row
        }
        exact = data.get("characters")
        self.spellings = Spellings.of(exact, known) if exact is not None else self._from_entries(known)
        self.tells_people = exact is not None

    def compare(self, where: Mapping[str, _Path]) -> tuple[list[Moved], list[Open], int, int]:
        """Return moved and ambiguous pictures, and the numbers of unchanged ones and of those moved without a
        change."""
        moved: list[Moved] = []
        unclear: list[Open] = []
        unchanged = elsewhere = 0
        for stem, parts in where.items():
            entry = self.pictures[stem]
            if _folder_key(parts[:-1]) == _folder_key(tuple(_parts(entry["folder"]))):
                unchanged += 1
                continue
            path, before = "/".join(parts), tuple(entry["characters"])
            try:
                facts = self.facts(parts[:-1])
            except ValueError as error:
                unclear.append(Open(path, str(error)))
                continue
            if facts.characters is None:
                if self.says_nobody_there(tuple(_parts(entry["folder"]))):
                    elsewhere += 1
                else:
                    who = " and ".join(before) or "nobody known"
                    unclear.append(Open(path, f"its folder names no character; {who} is kept"))
            elif set(facts.characters) == set(before):
                elsewhere += 1
            else:
                people = frozenset(entry.get("by_person", ())) if self.tells_people else None
                moved.append(
                    Moved(
                        stem=stem,
                        key=str(entry["key"]),
                        path=path,
                        before=before,
                        now=facts.characters,
                        new=facts.new,
                        by_person=people,
                    )
                )
        return moved, unclear, unchanged, elsewhere

    def facts(self, folders: _Path) -> FolderFacts:
        """Return a folder's facts. Raises ValueError when they are ambiguous."""
        return read_folder(self._levels(folders), self.tokens, self.spellings)

    def says_nobody_there(self, folders: _Path) -> bool:
        """Return whether the folder in the manifest does not name characters either."""
        try:
            return self.facts(folders).characters is None
        except ValueError:
            return False

    def _levels(self, folders: _Path) -> _Path:
        known = self.levels.get(_folder_key(folders))
        if known is not None:
            return known
        if self.layout.levels is None:
            raise ValueError(f"folders of the format {self.layout.label} say nothing about characters")
        return self.layout.levels(folders)

    def _from_entries(self, known: Collection[str]) -> Spellings:
        """Derive spellings for older manifests from the folders of pictures with one character and the usual
        spelling."""
        names_by_key: dict[str, set[str]] = defaultdict(set)
        for key, who in by_safe_name({name for row in self.pictures.values() for name in row["characters"]}).items():
            names_by_key[key].update(who)
        levels = [level for level, token in enumerate(reversed(self.tokens)) if token == "character"]
        for row in self.pictures.values():
            parts = self._levels(tuple(_parts(row["folder"])))
            if len(row["characters"]) == 1 and levels and len(parts) > levels[0]:
                name = parts[-1 - levels[0]]
                if name != CHARACTER_OTHERS:
                    names_by_key[spelling_key(name)].add(row["characters"][0])
        allowed = {spelling_key(name) for name in known}
        names = {key: tuple(sorted(names_of_key)) for key, names_of_key in names_by_key.items()}
        if known:
            names = {key: who for key, who in names.items() if all(spelling_key(name) in allowed for name in who)}
            names = by_safe_name(known) | names
        return Spellings(names=names, closed=bool(known))


def manifest_of(folder: Path) -> tuple[dict[str, Any], Recipe]:
    """Read a dataset's manifest and recipe. Raises BadInput when it is missing or invalid."""
    path = folder / MANIFEST
    try:
        data = outside_json.read(path, bytes_max=MANIFEST_BYTES_MAX)
        recipe = parse(data["recipe"])
        for entry in data["pictures"].values():
            names = [*entry["characters"], *entry.get("by_person", ())]
            if not all(isinstance(text, str) for text in (entry["key"], entry["folder"], *names)):
                raise TypeError("entries of other types")
        spelled = data.get("characters")
        if spelled is not None and not all(isinstance(name, str) for name in spelled.values()):
            raise TypeError("characters of other types")
        if not all(isinstance(row["folder"], str) and isinstance(row.get("levels", []), list) for row in _rows(data)):
            raise TypeError("folders of other types")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecipeError) as error:
        raise BadInput(
            f"{folder.name}: this is not a Koma dataset, its {MANIFEST} cannot be read ({type(error).__name__}). "
            "Choose the folder that an export wrote."
        ) from error
    return data, recipe


def by_key(moved: Iterable[Moved]) -> Iterator[tuple[str, int, Moved]]:
    """Yield source hash prefix and frame index of each moved picture that is not a crop."""
    for row in moved:
        source, _, index = row.key.partition(":")
        if not row.is_crop and len(index) <= INDEX_DIGITS_MAX and index.isascii() and index.isdigit():
            yield source, int(index), row


def _rows(data: Mapping[str, Any]) -> list[Any]:
    return list(data.get("folders", ()))


def _parts(folder: str) -> list[str]:
    return [part for part in folder.split("/") if part]


def _folder_key(folders: _Path) -> _Path:
    """Return a key for folders that ignores case and normal form, which file systems may change."""
    return tuple(same_name_key(part) for part in folders)
