"""Path lengths of a dataset and the systems that could not open them, checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from export.algorithms.recipe import Recipe
from export.formats.masks import FOLDER, LABEL
from export.formats.registry import format_of

# Single names always stay below 255 bytes: they have at most 100 and an extension.
LINUX_BYTES_MAX = 4095  # PATH_MAX without the closing zero
WINDOWS_UNITS_MAX = (
    259  # UTF-16 units with drive and folders, without the closing zero, unless long paths are turned on
)
WINDOWS_ROOM = 40  # for where it is unpacked, as C:\Users\somebody\Downloads\


@dataclass(frozen=True, slots=True)
class Length:
    """Length of a text in bytes of UTF-8 and in units of UTF-16, as Windows counts."""

    bytes: int
    units: int

    def __add__(self, other: Length) -> Length:
        return Length(self.bytes + other.bytes, self.units + other.units)


@dataclass(slots=True)
class PathLengths:
    """The longest path below a dataset's folder, and the number of pictures with a path too long for Windows.

    `top`: the length of the dataset's folder name.
    """

    top: Length
    longest: Length = Length(0, 0)
    windows: int = 0

    def add(self, length: Length, count: int = 1) -> None:
        """Add `count` pictures whose longest file has a path of this length below the dataset."""
        if length.units > self.longest.units:
            self.longest = length
        if self.on_windows(length) > WINDOWS_UNITS_MAX:
            self.windows += count

    def on_windows(self, length: Length) -> int:
        """Return the UTF-16 units of the full path if the dataset is unpacked into a folder of WINDOWS_ROOM."""
        return WINDOWS_ROOM + self.top.units + 1 + length.units

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings, with remedies."""
        if not self.windows:
            return ()
        pictures = f"{self.windows:,} picture{'s have' if self.windows != 1 else ' has'}"
        return (
            f"{pictures} a path that Windows cannot open: with {WINDOWS_ROOM} characters for the folder that it is "
            f"unpacked to, the longest has {self.on_windows(self.longest)}; the limit is {WINDOWS_UNITS_MAX}.",
        )


def length_of(text: str) -> Length:
    """Return the length of a text, also with characters outside the basic plane."""
    return Length(len(text.encode("utf-8", "surrogatepass")), len(text.encode("utf-16-le", "surrogatepass")) // 2)


def length_below(folder: Iterable[str], stem: Length, recipe: Recipe) -> Length:
    """Return the length of a picture's longest file below the dataset: folders, stem, the recipe's longest
    extension."""
    folders = sum((length_of(part) + Length(1, 1) for part in folder), Length(0, 0))
    more = max(_endings(recipe))
    return folders + stem + Length(more, more)


def problem_at(target: Path, longest: Length) -> str:
    """Return why the paths of a dataset cannot be written below `target`; empty if they can."""
    path_bytes = len(str(target).encode("utf-8", "surrogateescape")) + 1 + longest.bytes
    if path_bytes <= LINUX_BYTES_MAX:
        return ""
    return (
        f"The longest path would have {path_bytes:,} bytes; {LINUX_BYTES_MAX:,} are possible. Choose short names, "
        "fewer levels, or do not keep the folders of the inputs."
    )


def _endings(recipe: Recipe) -> list[int]:
    endings = [len(".webp"), len(".json"), len(format_of(recipe).caption_ending(recipe))]
    if recipe.metadata.version == "v2":
        endings.append(len("._meta.json"))
    if recipe.output.masks == "folder":
        endings.append(len(f"{FOLDER}/.png"))
    if recipe.output.masks == "onetrainer":
        endings.append(len(f"{LABEL}.png"))
    return endings
