"""Groups frames that show one drawing in one pose, over any number of frames, with a bounded number of comparisons."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import U8
from ingest.algorithms.near_duplicates import DEFAULT_THRESHOLD, Groups, find_groups
from ingest.algorithms.near_index import F32, I64

ROUNDS_MAX: Final = 24
"""Comparisons per frame at most: one in each round."""

_WIDER: Final = 3.0
"""Distance within which pictures are compared, in those of the threshold: one drawing under a moving camera."""

SameDrawing = Callable[[I64, I64, F32], NDArray[np.bool_]]
"""For pairs of rows int64[P] and their cosines float32[P]: which show one drawing, bool[P]."""


def find_pose_groups(
    descriptors: U8,
    quality: F32,
    is_same: SameDrawing,
    threshold: float = DEFAULT_THRESHOLD,
    *,
    pinned: NDArray[np.bool_] | None = None,
) -> Groups:
    """As `find_groups`, but a row is dropped only if `is_same` says so of it and the kept row next to it.

    Each round takes the best rows of those left as kept, as `find_groups` does within the wider distance, and compares
    each other row with the most similar of them; rows of another pose are left to the next round. What is left after
    ROUNDS_MAX is decided by descriptors alone.
    """
    count = len(descriptors)
    wide = max(0.0, 1.0 - _WIDER * (1.0 - threshold)) or threshold
    representative = np.arange(count, dtype=np.int64)
    distance = np.zeros(count, dtype=np.float32)
    left = np.arange(count, dtype=np.int64)
    left_pinned = np.zeros(count, dtype=bool) if pinned is None else pinned
    for _ in range(ROUNDS_MAX):
        groups = find_groups(descriptors[left], quality[left], wide, pinned=left_pinned)
        others = np.flatnonzero(~groups.is_representative)
        rows, kept = left[others], left[groups.representative[others]]
        same = is_same(rows, kept, 1.0 - groups.distance[others])
        representative[rows[same]], distance[rows[same]] = kept[same], groups.distance[others][same]
        left, left_pinned = rows[~same], np.zeros(int((~same).sum()), dtype=bool)
        if not len(left):
            return Groups(representative, distance)
    groups = find_groups(descriptors[left], quality[left], threshold)
    representative[left], distance[left] = left[groups.representative], groups.distance
    return Groups(representative, distance)
