"""Measures of one small picture: sharpness, contrast, compression blocks, emptiness; bars; blends of two pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Measures:
    """Of a brightness picture in 0..255: sharpness and contrast grow with quality, blockiness falls."""

    sharpness: float
    contrast: float
    brightness: float
    blockiness: float

    def as_dict(self) -> dict[str, float]:
        """Plain numbers for a JSON column, rounded so that they are the same on every machine."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measure(luma: U8) -> Measures:
    """`luma` uint8[h, w], best 480 to 640 wide: sharpness is the Laplacian's spread, contrast that of the levels."""
    mean, spread = cv2.meanStdDev(luma)
    _, edges = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S))
    return Measures(float(edges[0, 0]), float(spread[0, 0]), float(mean[0, 0]), blockiness(luma))


def overall(measures: Measures) -> float:
    """One number, higher is the better copy: sharp and unfaded, with little of the blocks that compression leaves."""
    return round(measures.sharpness + 0.25 * measures.contrast - 4.0 * min(measures.blockiness, 2.0), 3)


def blockiness(luma: U8, period: int = 8) -> float:
    """How much stronger steps at every `period`-th column and row are than elsewhere (0 none; 1 twice as strong)."""
    result = 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(luma.astype(np.int16), axis=axis)).mean(axis=1 - axis)
        if steps.size < 3 * period:
            continue
        whole = steps[: steps.size // period * period].reshape(-1, period).mean(axis=0)
        result = max(result, float(whole.max() / (np.median(whole) + 0.25) - 1.0))
    return max(0.0, result)


def coarse(luma: U8) -> F32:
    """Means of a grid of 18 x 32 cells: float32[576], for quick distances and for telling black, white and blends."""
    # Halving by exact means is many times quicker than one uneven step.
    while luma.shape[1] >= 128 and luma.shape[0] >= 72:
        height, width = luma.shape[0] & ~1, luma.shape[1] & ~1
        half = cv2.resize(luma[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        luma = np.asarray(half, dtype=np.uint8)
    # In floats, or a rounded half would look like a change of every cell.
    cells = cv2.resize(luma.astype(np.float32), (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, dtype=np.float32).ravel()


def emptiness(cells: F32, *, full_range: bool = False) -> str:
    """`black` or `white` when no cell of `coarse` holds anything else, else the empty string."""
    black, white = (0.0, 255.0) if full_range else (16.0, 235.0)
    if float(cells.max()) < black + 14:
        return "black"
    if float(cells.min()) > white - 10:
        return "white"
    return ""


def blend_share(picture: F32, before: F32, after: F32, *, rest: float = 0.05) -> float | None:
    """The share of `after` when `picture` is a mix of both (arrays of equal shape, any), or None when it is not.

    Least squares of picture = before + a (after - before); what is left must be small: `rest` times the mean change.
    """
    change = after - before
    energy = float(change.ravel() @ change.ravel())
    if energy / change.size < 30.0:
        return None
    moved = picture - before
    share = float(moved.ravel() @ change.ravel()) / energy
    if not 0.04 < share < 0.96:
        return None
    left = float(np.abs(moved - share * change).mean())
    return share if left < 1.2 + rest * float(np.abs(change).mean()) else None


@dataclass(frozen=True)
class Bars:
    """Rows and columns that carry no picture, as shares of height and width."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0


def dark_bars(brightest: U8, *, full_range: bool = False) -> Bars:
    """Bars from the per-pixel maximum over many frames (uint8[h, w]): only what is dark in every one of them is a bar.

    Less than 2 % and more than 35 % of a side is taken for no bar.
    """
    limit = (0 if full_range else 16) + 10
    rows = np.flatnonzero(np.percentile(brightest, 98, axis=1) > limit)
    columns = np.flatnonzero(np.percentile(brightest, 98, axis=0) > limit)
    if not rows.size or not columns.size:
        return Bars()
    height, width = brightest.shape
    sides = (
        rows[0] / height,
        (height - 1 - rows[-1]) / height,
        columns[0] / width,
        (width - 1 - columns[-1]) / width,
    )
    return Bars(*(float(side) if 0.02 <= side <= 0.35 else 0.0 for side in sides))
