"""Flattens transparent pictures onto a background on which their lines stay visible."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# In order of preference: datasets and taggers expect white; black and grey are for drawings that white would hide.
BACKGROUNDS = (255, 0, 128)
VANISH_MAX = 0.25  # share of the outline that may vanish before the next background is tried
CONTRAST_MIN = 48  # luma levels (of 255) below which a line is hard to see
VISIBLE_ALPHA_MIN = 24
SAMPLE_MAX = 1_000_000  # outline pixels that are examined; a large translucent picture has a hundred times more
STRIP = 256  # rows that are converted at once: 16 bit values of a large picture would not fit in memory
OUTLINE_PX = 1  # distance from a transparent pixel that counts as outline; lines may be one pixel wide


def flatten(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> int | None:
    """Blend RGB uint8[h, w, 3] in place with a grey background by alpha uint8[h, w].

    Returns the grey level (0..255), or None if nothing was transparent.
    """
    if int(alpha.min()) == 255:
        return None
    background = choose_background(rgb, alpha)
    for top in range(0, rgb.shape[0], STRIP):
        part = slice(top, top + STRIP)
        weight = alpha[part, :, None].astype(np.uint16)
        rgb[part] = (rgb[part] * weight + background * (255 - weight) + 127) // 255
    return background


def choose_background(rgb: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> int:
    """Grey level (0..255) on which the outline of the visible part stands out; white unless it would hide it."""
    clear = (alpha < VISIBLE_ALPHA_MIN).astype(np.uint8)
    if clear.any():
        widened = cv2.dilate(clear, np.ones((2 * OUTLINE_PX + 1, 2 * OUTLINE_PX + 1), np.uint8))
        outline = (widened == 1) & (clear == 0)
    else:  # translucent everywhere: all of it counts
        outline = alpha < 255
    if not outline.any():
        return BACKGROUNDS[0]
    rows, columns = _sample(outline)
    weights = alpha[rows, columns].astype(np.float64)
    lumas = rgb[rows, columns].astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    shares = []
    for level in BACKGROUNDS:
        hidden = float((weights * (np.abs(lumas - level) < CONTRAST_MIN)).sum() / weights.sum())
        if hidden <= VANISH_MAX:
            return level
        shares.append(hidden)
    return BACKGROUNDS[int(np.argmin(shares))]


def _sample(outline: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns (int64[N]) of at most SAMPLE_MAX evenly spaced pixels of the outline, in order."""
    by_row = np.count_nonzero(outline, axis=1)
    number, before = int(by_row.sum()), np.concatenate([[0], np.cumsum(by_row)])
    sampled = np.arange(number) if number <= SAMPLE_MAX else np.linspace(0, number - 1, SAMPLE_MAX).astype(np.int64)
    rows = np.searchsorted(before, sampled, side="right") - 1
    columns = np.empty_like(rows)
    begins = np.flatnonzero(np.diff(rows, prepend=-1))  # in `sampled`, of each row that has any
    for begin, end in zip(begins, [*begins[1:], len(rows)]):
        row = rows[begin]
        columns[begin:end] = np.flatnonzero(outline[row])[sampled[begin:end] - before[row]]
    return rows, columns
