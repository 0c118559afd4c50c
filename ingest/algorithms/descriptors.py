"""Computes small descriptors of a picture's layout and colours from the planes of a frame.

Descriptors are compared by the cosine of their angle. It changes little with re-encoding, scaling, a shift of a few
pixels, subtitles, dimming and a slight crop, and much with another shot.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

DESCRIPTOR_VERSION: Final = 2

LUMA_GRID: Final = (9, 16)
CHROMA_GRID: Final = (6, 8)
ZERO: Final = 128
"""The byte for 0: a descriptor holds signed numbers with this offset."""

DESCRIPTOR_SIZE: Final = LUMA_GRID[0] * LUMA_GRID[1] + 2 * CHROMA_GRID[0] * CHROMA_GRID[1] + 2

_SCALE: Final = 400.0
"""Scale from components to bytes. Vectors with a component above 0.32 are scaled down, since only angles count."""
_FLAT: Final = 2.5
"""Contrast (luma levels) below which a picture counts as flat: the rest is mostly grain."""
_CHROMA_GAIN: Final = 2.0
_SUBTITLE_ROWS: Final = 0.78
"""Share of the height, from the top, at which the area of subtitles begins."""
_SUBTITLE_WEIGHT: Final = 0.2
_BLUR: Final = 0.5
"""Standard deviation in cells: blurred cells tolerate a shift and a slight crop."""


def _weights(rows: int, columns: int) -> F32:
    """Weights float32[rows, columns] with a sum of 1: full above the area of subtitles, low inside it."""
    top = np.arange(rows) / rows
    above = np.clip((_SUBTITLE_ROWS - top) * rows, 0.0, 1.0)
    by_row = above + (1.0 - above) * _SUBTITLE_WEIGHT
    grid = np.repeat(by_row[:, None], columns, axis=1)
    return np.asarray(grid / grid.sum(), dtype=np.float32)


_LUMA_WEIGHT: Final = _weights(*LUMA_GRID)
_LUMA_ROOT: Final = np.sqrt(_LUMA_WEIGHT)
_CHROMA_ROOT: Final = np.sqrt(_weights(*CHROMA_GRID)) * np.float32(_CHROMA_GAIN)


def _grid(plane: U8, grid: tuple[int, int]) -> F32:
    rows, columns = grid
    small = cv2.resize(plane, (columns * 2, rows * 2), interpolation=cv2.INTER_AREA).astype(np.float32)
    soft = cv2.GaussianBlur(small, (7, 7), 2 * _BLUR, borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.resize(soft, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)


def describe(luma: U8, chroma_u: U8, chroma_v: U8) -> U8:
    """The descriptor of one frame: uint8[DESCRIPTOR_SIZE].

    `luma` is uint8[h, w], preferably area-reduced to about 240x135; the chroma planes are uint8[h2, w2] with 128 for
    grey. Any size of at least 1x1 is accepted. Luma is used without its mean and the vector has length one, so
    brightness and contrast do not count; only in a flat picture the mean decides.
    """
    luma_cells = _grid(luma, LUMA_GRID)
    mean = float((luma_cells * _LUMA_WEIGHT).sum())
    parts = [
        (luma_cells - np.float32(mean)) * _LUMA_ROOT,
        (_grid(chroma_u, CHROMA_GRID) - np.float32(ZERO)) * _CHROMA_ROOT,
        (_grid(chroma_v, CHROMA_GRID) - np.float32(ZERO)) * _CHROMA_ROOT,
    ]
    vector = np.concatenate([part.ravel() for part in parts])
    length = float(np.sqrt(vector @ vector + _FLAT * _FLAT))
    angle = mean / 255.0 * np.pi / 2.0
    flat = np.asarray([_FLAT * np.cos(angle), _FLAT * np.sin(angle)], dtype=np.float32)
    components = np.concatenate([vector, flat]) / np.float32(length)
    components *= np.float32(min(_SCALE, 127.0 / float(np.abs(components).max())))
    return np.asarray(np.rint(components) + ZERO, dtype=np.uint8)


def as_vectors(descriptors: U8) -> F32:
    """The signed numbers of descriptors uint8[N, D] as float32[N, D]: integers of -127..127, not normalised.

    Their products and sums stay below 2**24, so float32 dot products are exact in any order of summation: results do
    not depend on blocks, threads or the CPU.
    """
    return np.asarray(descriptors, dtype=np.float32) - np.float32(ZERO)


def distances(descriptor: U8, descriptors: U8) -> F32:
    """One minus the cosine of one descriptor uint8[D] with each of uint8[N, D]: float32[N], 0 equal, 1 unrelated."""
    vector, vectors = as_vectors(descriptor), as_vectors(descriptors)
    lengths = np.sqrt(float(vector @ vector)) * np.sqrt(np.einsum("nd,nd->n", vectors, vectors).astype(np.float64))
    cosine = (vectors @ vector).astype(np.float64) / np.maximum(lengths, 1e-9)
    return np.asarray(np.clip(1.0 - cosine, 0.0, 2.0), dtype=np.float32)


def distance(first: U8, second: U8) -> float:
    """One minus the cosine between two descriptors uint8[D]: 0 equal, 1 unrelated, 2 opposite."""
    return float(distances(first, np.asarray(second)[None, :])[0])
