"""Compares frames by their stored previews: which pairs show one drawing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.poses import is_same_drawing, small_picture
from ingest.imaging.store import UnknownName
from ingest.storage.stored_files import store

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

THREADS = 2
PAIRS = 256  # between two checks for a cancel
MEMORY = 1_024  # pictures of 43 kB
_ROUNDING = 1e-6  # of cosines that were distances before


class SmallPictures:
    """The previews of rows, read when they are compared; the latest are kept in memory.

    `films`, bool[N]: which rows are of films. Only a film's camera moves over one drawing, so other pictures are the
    same within the threshold alone.
    `compared` counts pairs; `unreadable` holds the rows whose previews could not be read.
    """

    def __init__(
        self, previews: Sequence[str], films: NDArray[np.bool_], threshold: float, alive: Callable[[], None]
    ) -> None:
        self._films = films
        self.compared = 0
        self.unreadable: set[int] = set()
        self._previews, self._threshold, self._alive = previews, np.float32(threshold), alive
        self._pictures: OrderedDict[int, U8 | None] = OrderedDict()

    def are_same(self, rows: I64, others: I64, similarity: F32) -> NDArray[np.bool_]:
        """Which pairs of int64[P] and int64[P] show one drawing: bool[P].

        Where a preview is missing, the pair's cosine (float32[P]) decides.
        """
        same = similarity >= self._threshold - np.float32(_ROUNDING)
        order = np.lexsort((rows, others))
        order = order[(same | (self._films[rows] & self._films[others]))[order]]
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(order), PAIRS):
                self._alive()
                part = order[start : start + PAIRS]
                wanted = list(dict.fromkeys([*others[part].tolist(), *rows[part].tolist()]))
                pictures = self._read(wanted, pool)
                pairs = [(int(place), pictures[int(rows[place])], pictures[int(others[place])]) for place in part]
                known = [(place, a, b) for place, a, b in pairs if a is not None and b is not None]
                verdicts = pool.map(lambda pair: is_same_drawing(pair[1], pair[2]), known)
                for (place, _, _), verdict in zip(known, verdicts, strict=True):
                    same[place] = verdict
                self.compared += len(known)
        return same

    def _read(self, rows: list[int], pool: ThreadPoolExecutor) -> dict[int, U8 | None]:
        missing = [row for row in rows if row not in self._pictures]
        names = [self._previews[row] for row in missing]
        for row, picture in zip(missing, pool.map(_read, names), strict=True):
            if picture is None:
                self.unreadable.add(row)
            self._pictures[row] = picture
        found = {row: self._pictures[row] for row in rows}
        for row in rows:
            self._pictures.move_to_end(row)
        while len(self._pictures) > MEMORY:
            self._pictures.popitem(last=False)
        return found


def _read(name: str) -> U8 | None:
    try:
        data = np.frombuffer(store().path(name).read_bytes(), dtype=np.uint8)
    except (UnknownName, OSError):
        return None
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if len(data) else None
    return None if picture is None else small_picture(np.asarray(picture, np.uint8))
