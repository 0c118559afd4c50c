"""Detects cuts between shots from small pictures in order."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

FLOOR = 7.0  # levels of mean change that a cut exceeds
TIMES = 3.0  # ratio of a cut to the largest recent change
SHARE = 0.45  # share of cells that change by more than 5 levels
MEMORY = 8  # recent frames to compare with


class Cuts:
    """Takes the `coarse_cells` (float32[N]) of consecutive frames; True where a new shot begins."""

    def __init__(self, *, floor: float = FLOOR, times: float = TIMES) -> None:
        self._floor, self._times = floor, times
        self._previous: F32 | None = None
        self._recent: deque[float] = deque(maxlen=MEMORY)

    def add(self, cells: F32) -> bool:
        """Whether a cut precedes this frame: its change, apart from brightness, is large compared to recent changes."""
        previous, self._previous = self._previous, cells
        if previous is None:
            return True
        mean_change = float(np.abs(cells - previous).mean())
        if mean_change < self._floor * 0.5:
            self._recent.append(mean_change)
            return False
        # A flash or a fade changes brightness and contrast, but not the picture.
        change = _dissimilarity(cells, previous) * mean_change
        usual = max(sorted(self._recent)[-2:], default=0.0)
        self._recent.append(change)
        is_widespread = float(np.mean(np.abs(cells - previous) > 5.0)) > SHARE
        return is_widespread and change > self._floor and change > self._times * usual


def _dissimilarity(a: F32, b: F32) -> float:
    """0 for the same picture at another brightness or contrast, 1 for unrelated ones, by their correlation."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    if size < 40.0 * a.size * 0.25:
        return 1.0
    return min(1.0, max(0.0, 2.0 * (1.0 - float(a @ b) / size)))
