"""Estimates the share of a picture under lettering (subtitles, credits) from its strokes, without a model."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]

WIDTH: Final = 480
"""Columns to which pictures are scaled: strokes of subtitles are one to three pixels wide there."""
_STROKE: Final = np.ones((7, 7), np.uint8)  # wider shapes are not strokes
_OUTLINE_REACH: Final = np.ones((5, 5), np.uint8)
_BRIGHT, _DARK = 60, 40  # levels by which a stroke is brighter, and its outline darker, than its surroundings
_CELL: Final = 8
_FULL: Final = 0.2  # share of a cell that strokes of letters cover
_GAP: Final = np.ones((1, 3), np.uint8)  # cells between words
_LINE: Final = np.ones((1, 7), np.uint8)  # consecutive cells (an eighth of the width) that form a line


def lettering(luma: U8) -> float:
    """Share (0..1) of luma uint8[h, w] under lines of bright strokes next to dark ones.

    Hair, fences and patterns are sometimes counted. They are in every copy of a picture, so copies can be compared: a
    line of subtitles adds about 0.03 at any size and encoding.
    """
    height, width = luma.shape
    rows = max(1, round(height * WIDTH / width))
    small = np.asarray(cv2.resize(luma, (WIDTH, rows), interpolation=cv2.INTER_AREA), np.uint8)
    if rows < _CELL:
        return 0.0
    bright = cv2.morphologyEx(small, cv2.MORPH_TOPHAT, _STROKE)
    dark = cv2.dilate(cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, _STROKE), _OUTLINE_REACH)
    strokes = np.asarray((bright > _BRIGHT) & (dark > _DARK), np.float32)
    cells = cv2.resize(strokes, (WIDTH // _CELL, rows // _CELL), interpolation=cv2.INTER_AREA)
    full = cv2.morphologyEx(np.asarray(cells > _FULL, np.uint8), cv2.MORPH_CLOSE, _GAP)
    return float(np.asarray(cv2.morphologyEx(full, cv2.MORPH_OPEN, _LINE)).mean())
