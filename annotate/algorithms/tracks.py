"""Tracking of faces through a shot by position and appearance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from annotate.algorithms.boxes import iou

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Distances = Callable[[list[int], list[int]], FloatArray]  # rows [n], rows [m] -> [n, m]

# A held drawing keeps its place; a lip flap or a blink changes the description by less than another person does.
OVERLAP_MIN = 0.35
DISTANCE_MAX = 1.7
# A face that moved (a pan, a zoom) must look nearly the same.
MOVED_DISTANCE_MAX = 0.6
FRAMES_BACK = 3  # a face may be missed in between


def link(
    shot: IntArray, frame: IntArray, boxes: FloatArray, points: FloatArray, *, distances: Distances | None = None
) -> IntArray:
    """Number the tracks [N] of faces: 0, 1, ... in order of their first face.

    `shot` [N] is a number, or -1 for "by itself"; `frame` [N] rises with time within a shot; `boxes` [N, 4] relative;
    `points` [N, d] projected descriptions. `distances` of rows instead of those between points, in the same measure: 1
    is about where different people begin. Two faces of one frame are never linked.
    """
    count = len(shot)
    difference_of = distances or (
        lambda now, before: np.linalg.norm(points[now][:, None] - points[before][None], axis=2)
    )
    track = np.arange(count)
    order = np.lexsort((np.arange(count), frame, shot))
    edges = np.flatnonzero(np.diff(shot[order])) + 1
    for rows in np.split(order, edges):
        if len(rows) < 2 or shot[rows[0]] < 0:
            continue
        frames = np.split(rows, np.flatnonzero(np.diff(frame[rows])) + 1)
        for index, now in enumerate(frames[1:], start=1):
            taken: set[int] = set()
            free = list(now)
            for before in reversed(frames[max(0, index - FRAMES_BACK) : index]):
                for new, old in _pairs(free, [row for row in before if track[row] not in taken], boxes, difference_of):
                    track[new] = track[old]
                    taken.add(int(track[old]))
                    free.remove(new)
                if not free:
                    break
    return np.unique(track, return_inverse=True)[1].astype(np.int64)


def _pairs(now: list[int], before: list[int], boxes: FloatArray, difference_of: Distances) -> list[tuple[int, int]]:
    """Pairs of the same person, best first, each face once."""
    if not now or not before:
        return []
    overlap = iou(boxes[now], boxes[before])
    distance = difference_of(now, before)
    can_join = ((overlap >= OVERLAP_MIN) & (distance <= DISTANCE_MAX)) | (distance <= MOVED_DISTANCE_MAX)
    cost = np.where(can_join, distance - overlap, np.inf)
    pairs: list[tuple[int, int]] = []
    while np.isfinite(cost).any():
        row, column = np.unravel_index(int(cost.argmin()), cost.shape)
        pairs.append((now[row], before[column]))
        cost[row, :] = np.inf
        cost[:, column] = np.inf
    return pairs
