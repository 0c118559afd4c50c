"""The interface of formats: what a trainer or program reads, written from a plan by streaming.

The engine (`export.build.write`) reads and encodes pictures; a format says where each goes, what lies beside it, and
which files describe all of them. A format is one file in this folder, one row in the registry and one name in
`export.algorithms.format_names`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as DiskPath
from typing import Literal, Protocol

from export.algorithms.balance import Balance, Rounding
from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe

Path = tuple[str, ...]
Group = Literal["trainers", "datasets", "annotation tools"]


class Sink(Protocol):
    """Writes files of the dataset, each complete or not at all; relative paths with `/`."""

    def write(self, path: str, data: bytes) -> None: ...

    def path(self, path: str) -> DiskPath: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A picture as it was written: path below the dataset, (width, height) and number of its bytes, their SHA-256.

    `mask`: the path of its mask, if it has one. `upscaler`: the model that upscaled it.
    """

    path: str
    size: tuple[int, int]
    bytes: int
    sha256: str
    mask: str = ""
    upscaler: str = ""


class Writer(Protocol):
    """Writes one dataset. `add` and `close` are called from one thread, `add` in the plan's order.

    `base` and `side_files` are called from several threads; they depend on their arguments and the plan's head alone.
    """

    def base(self, item: Item) -> str:
        """Return the picture's path below the dataset without its ending; unique in the dataset."""

    def mask(self, item: Item) -> str:
        """Return the path of the picture's mask, a PNG; asked only where the recipe has masks."""

    def side_files(self, item: Item, written: Written) -> Iterable[tuple[str, bytes]]:
        """Yield the files that belong to this picture alone (caption, JSON), as path and bytes."""

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Note a picture in the files that describe all of them.

        `picture`: its bytes if the format packs them. None for a picture of an earlier, interrupted call that is on
        disk already; such pictures come first.
        """

    def close(self) -> tuple[str, ...]:
        """Write the files that describe all pictures and the configuration that starts the trainer; return warnings."""


class PackingWriter(Writer, Protocol):
    """A writer that puts pictures into archives."""

    @property
    def safe(self) -> int:
        """The number of pictures in complete archives on disk: only those are not packed again after a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What a reader finds in a written dataset: pictures, and how many of them with a caption or label."""

    pictures: int
    captions: int


def _same_folders(balance: Balance) -> Mapping[Path, Path]:
    return {share.path: share.path for share in balance.folders}


def _levels_unchanged(folders: Path) -> Path:
    return folders


def _nothing(recipe: Recipe) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    `name` stands in recipes, `label` and `group` on the export page. `open`: a writer for a plan (its `items` are not
    read). `check`: read a written dataset back as its program does. `problems`: why a recipe cannot be written in this
    format, each with what to do; `warnings`: what the program will do that may surprise. `rounding`: what the trainer
    does with a multiply. `packs`: pictures go into archives through `Writer.add` and not to files of their own.
    `folders` maps planned to written folders, `levels` back (for importing moved pictures); None where folders have no
    such meaning. `caption_ending`: of the file beside each picture; empty where captions stand elsewhere.
    `empty_caption`: content of the file of an empty caption; None writes no file. `masks`: the forms of masks that its
    program skips or uses.
    """

    name: str
    label: str
    group: Group = "trainers"
    open: Callable[[Plan, Recipe, Sink], Writer]
    check: Callable[[DiskPath, Recipe], Contents]
    problems: Callable[[Recipe], tuple[str, ...]] = _nothing
    warnings: Callable[[Recipe], tuple[str, ...]] = _nothing
    rounding: Rounding = "exact"
    packs: bool = False
    folders: Callable[[Balance], Mapping[Path, Path]] = _same_folders
    levels: Callable[[Path], Path] | None = _levels_unchanged
    caption_ending: Callable[[Recipe], str] = field(default=lambda recipe: recipe.output.caption_ending or ".txt")
    empty_caption: bytes | None = b""
    masks: frozenset[str] = frozenset({"none", "folder"})
