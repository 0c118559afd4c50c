"""Measures pictures (sharpness, noise, contrast, lettering...), values them, and detects bars and blends."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.detail import BOTTOM, TOP, Luma, detail
from ingest.algorithms.lettering import lettering

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

QUALITY_VERSION: Final = 3
"""Version of `overall`: values of different versions cannot be compared."""

# Octaves of detail (1: lines twice as fine) per unit of each measure. Chosen on 17 drawn and real pictures of 360 to
# 1080 lines, each in 25 encodings and enlargements and with noise, blur and subtitles.
_NOISE: Final = 0.6  # per level of noise
_GRAIN: Final = 0.5  # levels of noise that count as film grain and cost nothing
_BLOCKS: Final = 0.4
_BLOCKS_FREE: Final = 0.15  # blockiness of pictures without blocks
_BLOCKS_MAX: Final = 2.0
_CONTRAST: Final = 0.25  # per doubling of contrast, so that faded pictures lose
_LETTERING: Final = 3.0  # for the whole picture; a line of subtitles covers 0.03
_LETTERING_MAX: Final = 0.1
_BITS: Final = 0.06  # per doubling of the bits per picture
_PLAIN: Final = 10.0  # levels between the darkest and the brightest cell of a picture without contrast
_BAR: Final = 3.0  # the same for a bar, which has no noise in the brightest of many frames
_BITS_ENOUGH: Final = 17.0  # log2: more than 131,072 bits per picture make no visible difference


@dataclass(frozen=True)
class Measures:
    """Measures of luma in 16..235. `sharpness` (octaves), `noise` (levels) and `blockiness` as of `detail.Detail`;
    `contrast` and `brightness` are standard deviation and mean in levels; `lettering` is the share under it, 0..1.

    `bits`: log2 of the film's bits per picture, converted to H.264; 0 if unknown.
    """

    sharpness: float
    contrast: float
    brightness: float
    blockiness: float
    noise: float = 0.0
    lettering: float = 0.0
    bits: float = 0.0

    def as_dict(self) -> dict[str, float]:
        """Values for a JSON column, rounded so that they are equal on every machine."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def measure(luma: Luma, small: U8, *, pixel_aspect: float = 1.0, level: float = 1.0, bits: float = 0.0) -> Measures:
    """Measure luma [h, w] at its original size; `small` is the same in uint8 of 16..235, at most 640 wide.

    `pixel_aspect`, `level`: see `detail.detail`. Contrast and brightness exclude the areas of subtitles and logos.
    """
    fine = detail(luma, pixel_aspect=pixel_aspect, level=level)
    height = small.shape[0]
    middle = small[int(TOP * height) : max(1, int(TOP * height) + 1, int(BOTTOM * height))]
    mean, spread = cv2.meanStdDev(middle)
    return Measures(
        fine.sharpness, float(spread[0, 0]), float(mean[0, 0]), fine.blockiness, fine.noise, lettering(small), bits
    )


def overall(measures: Measures) -> float:
    """Overall quality in octaves of detail: higher for sharp, unfaded copies without noise, blocks and lettering."""
    value = (
        measures.sharpness
        + _CONTRAST * float(np.log2(max(1.0, measures.contrast)))
        - _NOISE * max(0.0, measures.noise - _GRAIN)
        - _BLOCKS * min(_BLOCKS_MAX, max(0.0, measures.blockiness - _BLOCKS_FREE))
        - _LETTERING * min(_LETTERING_MAX, measures.lettering)
    )
    if measures.bits:
        value -= _BITS * max(0.0, _BITS_ENOUGH - measures.bits)
    return round(value, 3)


def coarse_cells(luma: U8) -> F32:
    """Means of luma uint8[h, w] in 18 x 32 cells: float32[576], for fast distances and to detect black, white,
    blends."""
    # Halving by exact means is many times faster than a single uneven step.
    while luma.shape[1] >= 128 and luma.shape[0] >= 72:
        height, width = luma.shape[0] & ~1, luma.shape[1] & ~1
        half = cv2.resize(luma[:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        luma = np.asarray(half, dtype=np.uint8)
    # In floats, since a rounded half would look like a change of every cell.
    cells = cv2.resize(luma.astype(np.float32), (32, 18), interpolation=cv2.INTER_AREA)
    return np.asarray(cells, dtype=np.float32).ravel()


def emptiness(cells: F32, *, full_range: bool = False) -> str:
    """ "black" or "white" if all cells of `coarse_cells` are, else "".

    Films that say full range often contain pictures of limited range, so a picture without contrast is measured as
    limited range anyway.
    """
    low, high = float(cells.min()), float(cells.max())
    black, white = (0.0, 255.0) if full_range and high - low > _PLAIN else (16.0, 235.0)
    if high < black + 14:
        return "black"
    if low > white - 10:
        return "white"
    return ""


def blend_share(picture: F32, before: F32, after: F32, *, residual_share: float = 0.05) -> float | None:
    """Share (0..1) of `after` if `picture` is a mix of both (arrays of one shape), or None if it is not.

    Least squares of picture = before + a (after - before); the residual must be small: `rest` times the mean change.
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
    return share if left < 1.2 + residual_share * float(np.abs(change).mean()) else None


@dataclass(frozen=True)
class Bars:
    """Rows and columns without picture content, as shares (0..1) of height and width."""

    top: float = 0.0
    bottom: float = 0.0
    left: float = 0.0
    right: float = 0.0


def dark_bars(brightest: U8, *, full_range: bool = False) -> Bars:
    """Bars from the per-pixel maximum over many frames, uint8[h, w]: rows and columns that are dark in all of them.

    Less than 2 % and more than 35 % of a side is taken for no bar.
    """
    rows = np.flatnonzero(~_are_dark(brightest, axis=1, full_range=full_range))
    columns = np.flatnonzero(~_are_dark(brightest, axis=0, full_range=full_range))
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


def _are_dark(brightest: U8, *, axis: int, full_range: bool) -> NDArray[np.bool_]:
    """Whether each line along `axis` is black; in full range also one of limited black without contrast."""
    low, high = np.percentile(brightest, (2, 98), axis=axis)
    is_limited = (high - low <= _BAR) if full_range else np.ones(len(high), dtype=bool)
    return np.asarray(high <= np.where(is_limited, 26, 10))
