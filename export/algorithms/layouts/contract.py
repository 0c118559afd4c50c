"""The interface of layouts: where planned folders are written, which extra files they hold, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from export.algorithms.balance import Balance

Path = tuple[str, ...]


def _no_files(balance: Balance) -> Mapping[str, bytes]:
    return {}


def _same_folders(folders: Path) -> Path:
    return folders


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One way to arrange a dataset on disk.

    `name` stands in recipes, `label` on the export page. `folders` maps each planned folder to the one that is written;
    `files` gives the layout's own files, by path below the dataset. `levels` turns a written folder back into the
    planned levels. `whole_repeats`: the trainer repeats folders a whole number of times, so the balance is rounded.
    `write_empty_captions`: a file also for an empty caption (kohya refuses empty files, EveryDream takes the file's
    name). `several_captions`: what the trainer does with several captions per picture, as a warning.
    """

    name: str
    label: str
    folders: Callable[[Balance], Mapping[Path, Path]]
    files: Callable[[Balance], Mapping[str, bytes]] = _no_files
    levels: Callable[[Path], Path] = _same_folders
    whole_repeats: bool = False
    write_empty_captions: bool = True
    several_captions: str = ""
