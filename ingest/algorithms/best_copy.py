"""Which of several copies of a picture is the best: measured quality, size, and whether a person has worked on it."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

_DOUBLE_SIZE: Final = 4.0
"""What twice the height is worth in units of `quality.overall`, whose measures see pictures of one small size."""

_UNSEEN: Final = 0.5
"""Qualities nearer to each other than this look the same: the encoder's noise must not choose between two showings."""


def preference(quality: F32, shorter_side: F32, *, worked_on: NDArray[np.bool_]) -> F32:
    """One distinct number a row, higher is the better copy: float32[N] for rows in their natural order.

    `quality` is that of `quality.overall` (sharp, unfaded, little compressed), `shorter_side` in pixels. Rows that a
    person has worked on win over all others, so that a new episode never takes names off the set; among what looks
    equally good the earlier row wins.
    """
    score = quality.astype(np.float64) + _DOUBLE_SIZE * np.log2(np.maximum(shorter_side.astype(np.float64), 1.0))
    score = np.round(score / _UNSEEN)
    worst_first = np.lexsort((-np.arange(len(score)), score, worked_on))
    rank = np.empty(len(score), dtype=np.float32)
    rank[worst_first] = np.arange(len(score), dtype=np.float32)
    return rank
