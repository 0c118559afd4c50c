"""Cache of compared blocks in a folder, so that an interrupted grouping resumes where it stopped."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from annotate.algorithms.difference_graph import Neighbours
from annotate.algorithms.near_vectors import By, Vectors
from ingest.models import Collection

FOLDER = "compared"  # below KOMA_DATA_DIR; may be deleted at any time
FORM = 1  # version of the file format


class ComparedBlocks:
    """The blocks of one collection and query; those of other queries and of deleted collections are removed."""

    def __init__(self, data_dir: Path, collection: Collection, *, question: str, log: Callable[[str], None]) -> None:
        self._of_collection = data_dir / FOLDER / str(collection.pk)
        self._folder, self._log, self._has_logged = self._of_collection / question, log, False
        existing = {str(key) for key in Collection.objects.values_list("pk", flat=True)}
        for other in [*_inside(data_dir / FOLDER), *_inside(self._of_collection)]:
            if other.name not in existing and other != self._folder:
                shutil.rmtree(other, ignore_errors=True)

    def read(self, number: int) -> Neighbours | None:
        """Read a complete block; None if there is none."""
        try:
            with np.load(self._path(number), allow_pickle=False) as file:
                neighbours = Neighbours(file["rows"], file["differences"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        has_right_types = neighbours.rows.dtype == np.int32 and neighbours.differences.dtype == np.float32
        return (
            neighbours
            if has_right_types and neighbours.rows.ndim == 2 and neighbours.rows.shape == neighbours.differences.shape
            else None
        )

    def keep(self, number: int, neighbours: Neighbours) -> None:
        """Write a block atomically. A full disk is reported once, and the run continues without caching."""
        data = io.BytesIO()
        np.savez(data, rows=neighbours.rows, differences=neighbours.differences)
        part = self._path(number).with_suffix(f".{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            part.write_bytes(data.getbuffer())
            part.replace(self._path(number))
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            if not self._has_logged:
                self._log(f"{part.parent} cannot be written ({error.strerror}): stopped now, grouping begins anew.")
            self._has_logged = True

    def forget(self) -> None:
        """Delete the blocks once the groups exist."""
        shutil.rmtree(self._of_collection, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npz"


def question_of(points: Vectors, by: By, *, model: str, neighbours: int) -> str:
    """Return a digest of the query: it changes with the vectors, model or settings."""
    digest = hashlib.sha256(f"{FORM} {model} {by.name} {neighbours} {points.dtype} {points.shape}".encode())
    digest.update(np.ascontiguousarray(points).data)
    return digest.hexdigest()[:32]


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
