"""Exact decoding of the outputs of YOLO and RT-DETR networks to boxes.

Ultralytics' export format; the suppression is the one with inclusive pixels (Girshick, Fast R-CNN, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


class Form(StrEnum):
    """What one picture's rows mean."""

    PLANES = "planes"  # YOLOv8, 11: [4 + classes, n], centre and size in network pixels, a probability a class
    ROWS = "rows"  # YOLOv10: [n, 6], corners in network pixels, score, class
    RELATIVE = "relative"  # RT-DETR: [n, 4 + classes], centre and size 0 to 1, a probability a class


# More than any picture holds; without an end, suppression would take as long as a hostile network wants.
CANDIDATES_MAX, KEPT_MAX = 30_000, 1000
FAR = 1e6  # pixels; a box beyond is none, and one that is no number neither
STRAY = 1e-3  # half precision may leave 0..1 by so much
ROWS_OVERLAP = 0.7  # whatever the model's own: those networks hardly repeat themselves


@dataclass(frozen=True, slots=True)
class Objects:
    """What was found in one picture, best score first: boxes float32 [n, 4] in whole picture pixels, inside it;
    scores float32 [n]; labels uint8 [n], numbers of the model's names."""

    boxes: FloatArray
    scores: FloatArray
    labels: NDArray[np.uint8]

    def above(self, threshold: float) -> Objects:
        """Those whose score is greater. Suppression walks from the best, so this is what it had given anyway."""
        is_above = self.scores > threshold
        return Objects(self.boxes[is_above], self.scores[is_above], self.labels[is_above])


def form_of(shape: tuple[int, ...], *, rtdetr: bool) -> Form:
    """Detect the layout of one picture's output [a, b]; `rtdetr` is passed in, since two layouts look alike."""
    if rtdetr:
        return Form.RELATIVE
    return Form.ROWS if shape[-1] == 6 else Form.PLANES


def read(
    output: FloatArray,
    form: Form,
    *,
    classes: int,
    threshold: float,
    overlap: float,
    fed: tuple[int, int],
    size: tuple[int, int],
) -> Objects:
    """Objects of one picture from its output [a, b].

    `fed` and `size` are (width, height) of what the network saw and of the picture. A row counts when its best
    probability is greater than `threshold`; of two that share more than `overlap` (ROWS: ROWS_OVERLAP) of their union,
    whatever their classes, the better one stays, at most KEPT_MAX. Raises ValueError when the output does not fit
    `classes` or holds no probabilities.
    """
    if form == Form.ROWS:
        boxes, scores, labels = _rows(output, threshold)
        overlap = ROWS_OVERLAP
    else:
        table = output.T if form == Form.PLANES else output
        if table.ndim != 2 or table.shape[1] != 4 + classes:
            raise ValueError(f"{table.shape[-1]} numbers a box are not 4 and one for each of {classes} classes")
        best = table[:, 4:].max(axis=1)
        if len(best) and np.isnan(best).all():
            raise ValueError("its scores are not numbers")
        table = table[(best > threshold) & (np.abs(table[:, :4]) <= FAR).all(axis=1)]
        boxes, scores, labels = corners(table[:, :4]), table[:, 4:].max(axis=1), table[:, 4:].argmax(axis=1)
        if form == Form.RELATIVE:
            # In pixels also while suppressing: a box of parts of 1 would be less than the one pixel that is added.
            boxes = (boxes * np.array([*fed, *fed], np.float32)).astype(np.float32)
    if len(scores) and float(scores.max()) > 1 + STRAY:
        raise ValueError(f"its scores reach {float(scores.max()):.3g}, not 0 to 1")
    order = suppress(boxes, scores, overlap=overlap)
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise ValueError(f"the network names class {int(labels.max())}, but it has {classes}")
    placed = into_picture(boxes[order], fed, size)
    return Objects(placed, np.minimum(scores[order], 1).astype(np.float32), labels[order].astype(np.uint8))


def _rows(output: FloatArray, threshold: float) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
    if output.ndim != 2 or output.shape[1] != 6:
        raise ValueError(f"rows of corners, score and class have 6 numbers, not {output.shape[-1]}")
    if len(output) and np.isnan(output[:, 4]).all():
        raise ValueError("its scores are not numbers")
    table = output[(output[:, 4] > threshold) & (np.abs(output) <= FAR).all(axis=1)]
    return table[:, :4], table[:, 4], table[:, 5].astype(np.int64)


def corners(boxes: FloatArray) -> FloatArray:
    """Boxes [n, 4] as left, top, right, bottom from centre x, centre y, width, height."""
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1).astype(np.float32)


def suppress(boxes: FloatArray, scores: FloatArray, *, overlap: float) -> NDArray[np.int64]:
    """At most KEPT_MAX rows to keep, best first, of equal ones the later first; a row goes when a kept one's IoU is
    above `overlap`.

    Corners count as pixels that belong to the box: width = right - left + 1.
    """
    span = boxes[:, 2:] - boxes[:, :2] + 1
    area = span[:, 0] * span[:, 1]
    waiting = np.argsort(scores, kind="stable")[::-1][:CANDIDATES_MAX]
    chosen: list[int] = []
    while len(waiting) and len(chosen) < KEPT_MAX:
        best, rest = int(waiting[0]), waiting[1:]
        chosen.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.maximum(0, high - low + 1).prod(axis=1)
        waiting = rest[shared / (area[best] + area[rest] - shared) <= overlap]
    return np.array(chosen, np.int64)


def into_picture(boxes: FloatArray, fed: tuple[int, int], size: tuple[int, int]) -> FloatArray:
    """Boxes [n, 4] from network pixels to whole picture pixels: scaled by side, cut to the picture, rounded (half to
    even)."""
    scaled = boxes / np.array([*fed, *fed], np.float32) * np.array([*size, *size], np.float32)
    return np.asarray(np.rint(np.clip(scaled, 0, np.array([*size, *size], np.float32))), np.float32)
