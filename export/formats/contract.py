"""What a layout is: where the planned folders go, and which files stand in them beside the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`folders`: planned folder -> written folder; `files`: path below the data set -> bytes; endings with their dot.

    `write_empty_captions`: a file also for an empty caption; kohya refuses empty files, EveryDream takes the file name.
    """

    folders: Mapping[Path, Path]
    files: Mapping[str, bytes]
    caption_ending: str = ".txt"
    write_empty_captions: bool = True
    warnings: tuple[str, ...] = ()
