"""Exact nearest-neighbour search block by block: memory is bounded by one block."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import faiss
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float16] | FloatArray

QUERIES, STORED = 1024, 8192  # rows of a block: 28 MB at 768 values, and a third of a second of one core


class By(Enum):
    """What "near" means: a small angle, or a small distance."""

    ANGLE, DISTANCE = range(2)


def nearest(
    queries: Vectors, stored: Vectors, count: int, *, by: By, on_progress: Callable[[], None] = lambda: None
) -> IntArray:
    """Rows [n, min(count, N)] of `stored` [N, d] that lie nearest to each of `queries` [n, d], nearest first.

    Of equally near ones those of an earlier block come first. `tell` is called with each block and may raise.
    """
    count = min(count, len(stored))
    result = np.zeros((len(queries), count), np.int64)
    for start in range(0, len(queries), QUERIES):
        query_block = _ready(queries[start : start + QUERIES], by)
        best = np.zeros((len(query_block), 0), np.float32)
        rows = np.zeros((len(query_block), 0), np.int64)
        for first in range(0, len(stored), STORED):
            on_progress()
            block = _ready(stored[first : first + STORED], by)
            squares, places = faiss.knn(query_block, block, min(count, len(block)))
            best, rows = np.hstack([best, squares]), np.hstack([rows, places + first])
            order = np.argsort(best, axis=1, kind="stable")[:, :count]
            best, rows = np.take_along_axis(best, order, 1), np.take_along_axis(rows, order, 1)
        result[start : start + QUERIES] = rows
    return result


def _ready(vectors: Vectors, by: By) -> FloatArray:
    ready = np.ascontiguousarray(vectors, np.float32)
    if by is By.ANGLE:
        ready = ready / np.maximum(np.linalg.norm(ready, axis=1, keepdims=True), 1e-12)
    return ready
