"""Boxes as rows (left, top, right, bottom): overlap, suppression, matching."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]


def areas(boxes: Boxes) -> NDArray[np.float32]:
    """Compute areas float32 [n]; an inverted box counts 0."""
    extent = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(extent[:, 0] * extent[:, 1], np.float32)


def intersections(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Compute intersection areas float32 [n, m] of boxes [n, 4] and [m, 4]."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    extent = np.maximum(high - low, 0)
    return np.asarray(extent[..., 0] * extent[..., 1], np.float32)


def iou(first: Boxes, second: Boxes) -> NDArray[np.float32]:
    """Compute intersection over union float32 [n, m]; 0 where both boxes are empty."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second)[None, :] - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0), np.float32)


def suppress(
    boxes: Boxes, scores: NDArray[np.float32], *, overlap: float = 0.4, inside: float = 0.75
) -> NDArray[np.int64]:
    """Suppress overlapping boxes and return the rows to keep, best score first; ties keep the earlier row.

    A row is dropped if a better kept one overlaps more than `overlap` of their union, or more than `inside` of the
    smaller box (an eye or mouth detected as a separate face).
    """
    shared = intersections(boxes, boxes)
    area = areas(boxes)
    smaller = np.maximum(np.minimum(area[:, None], area[None, :]), 1e-9)
    too_close = (iou(boxes, boxes) > overlap) | (shared / smaller > inside)
    chosen: list[int] = []
    for row in np.argsort(-scores, kind="stable").tolist():
        if not any(too_close[row, better] for better in chosen):
            chosen.append(row)
    return np.array(chosen, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Matched:
    """`pairs` (row of truth, row of found); `missed` rows of truth; `extra` rows of found."""

    pairs: tuple[tuple[int, int], ...]
    missed: tuple[int, ...]
    extra: tuple[int, ...]


def match(truth: Boxes, detected: Boxes, *, min_iou: float) -> Matched:
    """Match each true box with at most one detected box, highest IoU first, never below `least`."""
    overlap = iou(truth, detected)
    left_truth, left_found = set(range(len(truth))), set(range(len(detected)))
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-overlap, axis=None, kind="stable").tolist():
        row, column = divmod(flat, len(detected))
        if overlap[row, column] < min_iou:
            break
        if row in left_truth and column in left_found:
            pairs.append((row, column))
            left_truth.discard(row)
            left_found.discard(column)
    return Matched(tuple(sorted(pairs)), tuple(sorted(left_truth)), tuple(sorted(left_found)))


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """Clip boxes to the picture."""
    return np.clip(boxes, 0, np.array([width, height, width, height], np.float32)).astype(np.float32)


def relative(boxes: Boxes, width: int, height: int) -> Boxes:
    """Convert pixel boxes to fractions of the picture's width and height."""
    return np.asarray(boxes / np.array([width, height, width, height], np.float32), np.float32)
