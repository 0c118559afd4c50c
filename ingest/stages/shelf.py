"""Stores the files of pictures for the threads of a stage, within the limits of the collection."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ingest.storage.stored_files import store


class Shelf:
    """Puts files into the store from several threads. `names` lists all files that were stored."""

    def __init__(self, spend: Callable[[int, int], None]) -> None:
        self._spend, self._turn = spend, Lock()
        self.names: list[str] = []

    def put(self, files: list[tuple[bytes, str]]) -> list[str]:
        """Store the files (bytes, suffix) of one picture and return their names. Raises StoreFull, OverQuota."""
        with self._turn:
            self._spend(sum(len(data) for data, _ in files), 1)
        names = store().put_many(files)
        self.names += names
        return names
