"""Reimplements ffmpeg's `mpdecimate`: a frame is dropped if no 8x8 block differs much and few differ moderately."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

HI = 64 * 200
LO = 64 * 50
FRAC = 0.33  # share of the 16x16 squares of a plane


def block_differences(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Sums of absolute differences of 8x8 blocks every 4 pixels from column 8 and row 0: int32[rows, columns].

    `a`, `b` uint8[h, w]. The first blocks of each row are skipped, as in ffmpeg.
    """
    h, w = a.shape
    if h < 8 or w < 16:
        return np.zeros((0, 0), np.int32)
    total = cv2.integral(cv2.absdiff(a, b))
    top, left = slice(0, h - 7, 4), slice(8, w - 7, 4)
    bottom, right = slice(8, h + 1, 4), slice(16, w + 1, 4)
    return np.asarray(total[bottom, right] - total[top, right] - total[bottom, left] + total[top, left])


def plane_differs(a: NDArray[np.uint8], b: NDArray[np.uint8], hi: int, lo: int, frac: float) -> bool:
    """Whether any block exceeds `hi`, or more blocks than `frac` of the plane's 16x16 squares exceed `lo`."""
    h, w = a.shape
    blocks = block_differences(a, b)
    allowed = int((w // 16) * (h // 16) * frac)
    return bool((blocks > hi).any() or np.count_nonzero(blocks > lo) > allowed)


class Mpdecimate:
    """Takes the planes of consecutive frames; True for each frame to keep."""

    def __init__(self, *, hi: int = HI, lo: int = LO, frac: float = FRAC) -> None:
        self._rule = hi, lo, frac
        self._previous: list[NDArray[np.uint8]] | None = None

    def add(self, planes: list[NDArray[np.uint8]]) -> bool:
        """Compare luma and chroma planes, uint8[h, w] each, with those of the last kept frame."""
        if self._previous is not None and not any(
            plane_differs(new, old, *self._rule) for new, old in zip(planes, self._previous, strict=True)
        ):
            return False
        self._previous = [plane.copy() for plane in planes]
        return True
