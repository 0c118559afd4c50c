"""Hugging Face imagefolder: a folder per split with its pictures and their `metadata.jsonl` or `metadata.parquet`.

Facts (reference D.7): `file_name` is relative to the metadata file; every column has one type; text or JSON files
beside pictures would be loaded instead of them; a row without its picture fails only when it is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as DiskPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe
from export.formats.contract import Contents, Format, Sink, Written
from export.formats.records import TRAIN, Lines, record, split_of
from export.formats.side_files import SideFiles, one_folder
from ingest import outside_json

JSONL, PARQUET = "metadata.jsonl", "metadata.parquet"
_ROWS = 2000  # of a row group
_TEXT, _TEXTS, _INT, _FLOAT = pa.string(), pa.list_(pa.string()), pa.int32(), pa.float64()
SCHEMA = pa.schema(
    [
        ("file_name", _TEXT), ("text", _TEXT), ("captions", _TEXTS), ("character", _TEXT), ("characters", _TEXTS),
        ("tags", _TEXTS), ("rating", _TEXT), ("artist", _TEXTS), ("copyright", _TEXTS), ("n_people", _INT),
        ("width", _INT), ("height", _INT),
        ("objects", pa.struct([("bbox", pa.list_(pa.list_(_FLOAT))), ("category", _TEXTS)])),
        ("series", _TEXT), ("episode", _TEXT), ("start_s", _FLOAT), ("image_type", _TEXT), ("weight", _FLOAT),
        ("split", _TEXT), ("key", _TEXT), ("source", _TEXT), ("sha256", _TEXT),
    ]
)  # fmt: skip


class _Writer(SideFiles):
    def base(self, item: Item) -> str:
        """Return the path of a picture: below its split, in folders of a thousand, since names sort by source."""
        return f"{split_of(item)}/{item.stem}"

    def side_files(self, item: Item, written: Written) -> Iterator[tuple[str, bytes]]:
        """Yield nothing: text beside pictures would be loaded instead of them."""
        return iter(())

    def row_of(self, item: Item, written: Written) -> dict[str, Any]:
        """Return the row of a picture."""
        return {"file_name": written.path.partition("/")[2]} | record(item, written, self.recipe)

    def start(self) -> None:
        """Say how to load it."""
        self.how_to_start(
            "Hugging Face datasets",
            "    from datasets import load_dataset",
            '    pictures = load_dataset("imagefolder", data_dir="this folder")["train"]',
            "",
            "The column `text` is the caption, `objects` are the faces as [left, top, width, height] in pixels.",
        )


class _JsonLines(_Writer):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, IMAGEFOLDER)
        self._lines = Lines(sink)

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Add the row of a picture."""
        super().add(item, written, picture)
        self._lines.write(f"{split_of(item)}/{JSONL}", self.row_of(item, written))

    def close(self) -> tuple[str, ...]:
        """Complete the metadata."""
        self._lines.close()
        self.start()
        return ()


class _Parquet(_Writer):
    def __init__(self, plan: Plan, recipe: Recipe, sink: Sink) -> None:
        super().__init__(plan, recipe, sink, IMAGEFOLDER_PARQUET)
        self._files: dict[str, pq.ParquetWriter] = {}
        self._rows: dict[str, list[dict[str, Any]]] = {}

    def add(self, item: Item, written: Written, picture: bytes | None) -> None:
        """Add the row of a picture; rows are written in groups."""
        super().add(item, written, picture)
        rows = self._rows.setdefault(split_of(item), [])
        rows.append(self.row_of(item, written))
        if len(rows) == _ROWS:
            self._write(split_of(item))

    def close(self) -> tuple[str, ...]:
        """Complete the metadata."""
        for split in self._rows:
            self._write(split)
        for file in self._files.values():
            file.close()
        self.start()
        return ()

    def _write(self, split: str) -> None:
        if split not in self._files:
            path = f"{split}/{PARQUET}"
            self.sink.write(path, b"")
            self._files[split] = pq.ParquetWriter(self.sink.path(path), SCHEMA)
        self._files[split].write_table(pa.Table.from_pylist(self._rows[split], SCHEMA))
        self._rows[split] = []


def _open(plan: Plan, recipe: Recipe, sink: Sink) -> _JsonLines:
    return _JsonLines(plan, recipe, sink)


def _open_parquet(plan: Plan, recipe: Recipe, sink: Sink) -> _Parquet:
    return _Parquet(plan, recipe, sink)


def _check(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    for path in folder.glob(f"*/{JSONL}"):
        with path.open(encoding="utf-8") as file:
            for line in file:
                row = outside_json.parsed(line)
                pictures += (path.parent / row["file_name"]).is_file()
                captions += bool(row["text"])
    return Contents(pictures=pictures, captions=captions)


def _check_parquet(folder: DiskPath, recipe: Recipe) -> Contents:
    pictures = captions = 0
    for path in folder.glob(f"*/{PARQUET}"):
        for batch in pq.ParquetFile(path).iter_batches(columns=["file_name", "text"]):
            for name, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                pictures += (path.parent / name).is_file()
                captions += bool(text)
    return Contents(pictures=pictures, captions=captions)


IMAGEFOLDER = Format(
    name="imagefolder",
    label="Hugging Face: imagefolder + metadata.jsonl",
    group="datasets",
    open=_open,
    check=_check,
    rounding="none",
    folders=one_folder(TRAIN),
    levels=None,
    caption_ending=lambda recipe: "",
    empty_caption=None,
)
IMAGEFOLDER_PARQUET = Format(
    name="imagefolder-parquet",
    label="Hugging Face: imagefolder + metadata.parquet",
    group="datasets",
    open=_open_parquet,
    check=_check_parquet,
    rounding="none",
    folders=one_folder(TRAIN),
    levels=None,
    caption_ending=lambda recipe: "",
    empty_caption=None,
)
