"""The journal of a dataset being built: which pictures are complete on disk. A killed build goes on with the others."""

from __future__ import annotations

import json
import shutil
from array import array
from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path
from types import TracebackType
from typing import Self

from export.formats.contract import Written
from ingest import outside_json

NAME = ".building.jsonl"
_FIELDS = tuple(row.name for row in fields(Written))
_MISSING = -1


class Journal:
    """The journal in `folder`, for the plan with this digest; the folder of another plan is emptied first.

    A line per stored picture, with its number in the plan and what was written of it (itself and its crops). Memory: 8
    bytes per stored picture.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self._path = folder / NAME
        self._offsets = array("q")
        if not self._is_for(digest):
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir(parents=True)
            self._path.write_text(json.dumps({"plan": digest}) + "\n")
        self._file = self._path.open("r+b")
        self._scan()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """One more than the highest number of a complete picture."""
        return len(self._offsets)

    def written(self, number: int) -> list[Written] | None:
        """Return what was written of the stored picture with this number; None if it is not complete."""
        if number >= len(self._offsets) or self._offsets[number] == _MISSING:
            return None
        self._file.seek(self._offsets[number])
        rows = outside_json.parsed(self._file.readline())[1]
        return [Written(**dict(zip(_FIELDS, [row[0], tuple(row[1]), *row[2:]], strict=True))) for row in rows]

    def add(self, number: int, written: Sequence[Written]) -> None:
        """Note that a stored picture is complete; `flush` hands it to the system, where it survives this process."""
        self._file.seek(0, 2)
        self._note(number, self._file.tell())
        line = json.dumps([number, [astuple(row) for row in written]], separators=(",", ":"))
        self._file.write(line.encode() + b"\n")

    def forget(self) -> None:
        """Nothing is complete: the next call writes everything again."""
        self._file.seek(0)
        self._file.truncate()
        self._file.flush()

    def flush(self) -> None:
        """Hand what was added to the system."""
        self._file.flush()

    def remove(self) -> None:
        """The dataset is complete."""
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _is_for(self, digest: str) -> bool:
        try:
            with self._path.open() as file:
                return bool(outside_json.parsed(file.readline())["plan"] == digest)
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _scan(self) -> None:
        """Find the lines, and remove one that was cut by a kill."""
        self._file.readline()
        end = self._file.tell()
        while line := self._file.readline():
            if not line.endswith(b"]\n"):
                break
            self._note(int(line[1 : line.index(b",")]), end)
            end = self._file.tell()
        self._file.truncate(end)

    def _note(self, number: int, offset: int) -> None:
        if number >= len(self._offsets):
            self._offsets.extend([_MISSING] * (number + 1 - len(self._offsets)))
        self._offsets[number] = offset
