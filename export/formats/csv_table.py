"""CSV: pictures in one folder, a row per picture in `pictures.csv` and per face in `faces.csv`.

RFC 4180 with a header, UTF-8 with a byte order mark, which spreadsheets need. Lists are joined by `|`. A cell that a
spreadsheet would run as a formula begins with an apostrophe.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path as DiskPath
from typing import IO, Any

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink, Written
from export.formats.records import pixel_boxes, record
from export.formats.side_files import SideFiles, one_folder

IMAGES, PICTURES, FACES = "images", "pictures.csv", "faces.csv"
FACE_COLUMNS = ("file_name", "left", "top", "width", "height", "character", "score", "by_person")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\ufeff"


def cell(value: Any) -> str:
    """Return a value as a cell that no spreadsheet runs; numbers stay numbers."""
    if isinstance(value, list | tuple):
        value = "|".join(str(part) for part in value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)


class _Writer(SideFiles):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, CSV)
        self._files: list[IO[str]] = []
        self._columns: Sequence[str] = ()
        self._pictures, self._faces = self._table(PICTURES), self._table(FACES)
        self._faces.writerow(FACE_COLUMNS)

    def _table(self, path: str) -> Any:
        self.sink.write(path, b"")
        file = self.sink.path(path).open("w", encoding="utf-8", errors="replace", newline="")
        file.write(_BOM)
        self._files.append(file)
        return csv.writer(file)

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield nothing: everything stands in the tables."""
        return iter(())

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Add the rows of a picture."""
        super().add(item, written, picture)
        row = {"file_name": written.path} | record(item, written, self.recipe)
        del row["objects"]
        if not self._columns:
            self._columns = tuple(row)
            self._pictures.writerow(self._columns)
        self._pictures.writerow([cell(value) for value in row.values()])
        for box, face in zip(pixel_boxes(item, written.size), item.picture.faces, strict=True):
            values = (written.path, *box, face.character, round(face.score, 4), int(face.by_person))
            self._faces.writerow([cell(value) for value in values])

    def close(self) -> tuple[str, ...]:
        """Complete the tables."""
        for file in self._files:
            file.close()
        self.how_to_start(
            "CSV",
            f"`{PICTURES}` has a row per picture, `{FACES}` one per face with its box in pixels. UTF-8; lists are",
            "joined by `|`; cells that begin with an apostrophe would be formulas without it.",
        )
        return ()


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _Writer:
    return _Writer(plan, recipe, sink)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    with (folder / PICTURES).open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            pictures += (folder / row["file_name"].removeprefix("'")).is_file()
            captions += bool(row["text"])
    return Contents(pictures=pictures, captions=captions)


CSV = Format(
    name="csv",
    label="CSV: pictures + tables",
    group="datasets",
    open=_open,
    check=_check,
    rounding="none",
    folders=one_folder(IMAGES),
    levels=None,
    caption_ending=lambda recipe: "",
    empty_caption=None,
)
