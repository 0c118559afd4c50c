"""Text boxes from a heat map, and classification of text as subtitles or credits.

Liao et al.: Real-time Scene Text Detection with Differentiable Binarization, 2020, as PaddleOCR reads its answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

SIDE_MIN = 3  # pixels of the shorter side before a shape grows, 2 more after
CANDIDATES_MAX = 1000
# What counts as subtitles: lines in the lowest third, at least so wide, whose middles lie near the picture's middle.
SUBTITLE_TOP, SUBTITLE_WIDTH, SUBTITLE_OFF = 2 / 3, 0.12, 0.25
SUBTITLE_HEIGHT_MAX = 0.15  # taller ones are titles
CREDITS_LINES = 6  # so many lines that are no subtitles are credits


@dataclass(frozen=True, slots=True)
class TextBoxes:
    """Text of one picture: boxes float32 [n, 4] in whole pixels, inside it; scores float32 [n]."""

    boxes: FloatArray
    scores: FloatArray


def read_heat(heat: FloatArray, *, heat_min: float = 0.3, box_min: float = 0.7, grow: float = 2.0) -> TextBoxes:
    """Boxes of the shapes in a heat map [h, w] that reach `heat_min`, whose mean heat reaches `box_min`.

    Each shape becomes the smallest turned rectangle round it, grows on all sides by area * `grow` / circumference, and
    becomes the upright box round that. In order of the shapes' last rows, as OpenCV walks them.
    """
    height, width = heat.shape
    shapes, _ = cv2.findContours((heat >= heat_min).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes: list[FloatArray] = []
    scores: list[float] = []
    for shape in shapes[:CANDIDATES_MAX]:
        centre, (long, wide), angle = cv2.minAreaRect(shape)
        if min(long, wide) < SIDE_MIN:
            continue
        score = _mean_inside(heat, np.asarray(cv2.boxPoints((centre, (long, wide), angle)), np.float32))
        if score < box_min:
            continue
        by = long * wide * grow / (2 * (long + wide))
        if min(long, wide) + 2 * by < SIDE_MIN + 2:
            continue
        points = np.rint(cv2.boxPoints((centre, (long + 2 * by, wide + 2 * by), angle)))
        points = np.clip(points, 0, [width, height])
        boxes.append(np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32))
        scores.append(score)
    return TextBoxes(np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32))


def _mean_inside(heat: FloatArray, points: FloatArray) -> float:
    """Mean heat inside a shape of corners [4, 2] (x, y); corners are cut down to whole pixels."""
    height, width = heat.shape
    low = np.clip(np.floor(points.min(axis=0)).astype(int), 0, [width - 1, height - 1])
    high = np.clip(np.ceil(points.max(axis=0)).astype(int), 0, [width - 1, height - 1])
    inside = np.zeros((high[1] - low[1] + 1, high[0] - low[0] + 1), np.uint8)
    cv2.fillPoly(inside, [(points - low).astype(np.int32)], 1)
    return float(cv2.mean(heat[low[1] : high[1] + 1, low[0] : high[0] + 1], inside)[0])


@dataclass(frozen=True, slots=True)
class TextUse:
    """What the text of a picture is for, and the part (0 to 1) of the picture that it covers."""

    subtitled: bool
    credits: bool
    share: float


def use_of(boxes: FloatArray) -> TextUse:
    """Reads relative boxes [n, 4] (left, top, right, bottom, 0 to 1).

    Subtitles are lines wide and low enough in the lowest third about the middle; many lines besides them are credits.
    """
    if not len(boxes):
        return TextUse(subtitled=False, credits=False, share=0.0)
    left, top, right, bottom = boxes.T
    subtitle = (
        (top >= SUBTITLE_TOP)
        & (right - left >= SUBTITLE_WIDTH)
        & (np.abs((left + right) / 2 - 0.5) <= SUBTITLE_OFF)
        & (bottom - top <= SUBTITLE_HEIGHT_MAX)
    )
    others = int((~subtitle).sum())
    # A credit roll also has lines at the bottom: then they are no subtitles.
    many = others >= CREDITS_LINES
    return TextUse(subtitled=bool(subtitle.any()) and not many, credits=many, share=_covered(boxes))


def _covered(boxes: FloatArray, *, cells: int = 200) -> float:
    """The part of the picture under any box, counted on a grid."""
    grid = np.zeros((cells, cells), bool)
    for left, top, right, bottom in np.rint(np.clip(boxes, 0, 1) * cells).astype(int):
        grid[top:bottom, left:right] = True
    return float(grid.mean())
