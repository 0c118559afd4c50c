"""Packing of raw model answers into bytes, little-endian, kind first, so that thresholds apply on reading."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

SCORES, BOXES, CLASSES = 1, 2, 3  # the first byte: what follows and in which form
FLOOR = 0.05  # lower scores are not kept
STEPS = 65535  # a score or a relative coordinate 0 to 1 in 16 bits: steps of 0.000015
SCORE_ROW = np.dtype([("label", "<u2"), ("score", "<u2")])
BOX_ROW = np.dtype([("box", "<u2", (4,)), ("score", "<u2"), ("label", "u1")])


def pack_scores(scores: NDArray[np.float32], *, floor: float = FLOOR) -> bytes:
    """Pack the scores [labels] (0 to 1, at most 65,536 labels) that reach `floor`, with their indexes; 4 bytes each."""
    return pack_chosen(scores[None], (scores >= floor)[None])[0]


def pack_chosen(scores: NDArray[np.float32], chosen: NDArray[np.bool_]) -> list[bytes]:
    """Pack, per row of scores [n, labels], those of `chosen` [n, labels] with their indexes; 4 bytes each."""
    if scores.shape[1] > STEPS + 1:
        raise ValueError(f"{scores.shape[1]:,} labels are more than the {STEPS + 1:,} that can be packed")
    pictures, places = np.nonzero(chosen)
    rows = np.empty(len(places), SCORE_ROW)
    rows["label"], rows["score"] = places, _steps(scores[pictures, places])
    return [bytes([SCORES]) + part for part in _cut(rows.tobytes(), SCORE_ROW.itemsize * chosen.sum(axis=1))]


def unpack_scores(data: bytes, labels: int) -> NDArray[np.float32]:
    """Scores float32 [labels]; those below the floor are 0. ValueError when the bytes are of another kind."""
    rows = np.frombuffer(_body(data, SCORES), SCORE_ROW)
    if len(rows) and int(rows["label"].max()) >= labels:
        raise ValueError(f"the bytes name label {int(rows['label'].max())}, but there are {labels}")
    scores = np.zeros(labels, np.float32)
    scores[rows["label"]] = rows["score"] / np.float32(STEPS)
    return scores


def pack_classes(scores: NDArray[np.float32]) -> bytes:
    """Pack all scores [classes] of a classifier; 2 bytes each."""
    return bytes([CLASSES]) + _steps(scores).tobytes()


def unpack_classes(data: bytes) -> NDArray[np.float32]:
    """Scores float32 [classes]; ValueError when the bytes are of another kind."""
    return (np.frombuffer(_body(data, CLASSES), "<u2") / np.float32(STEPS)).astype(np.float32)


def pack_boxes(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], labels: NDArray[np.integer] | None = None
) -> bytes:
    """Pack relative boxes [n, 4] (left, top, right, bottom, 0 to 1), scores [n], labels [n] below 256; 11 bytes
    each."""
    rows = np.zeros(len(boxes), BOX_ROW)
    rows["box"], rows["score"] = _steps(boxes), _steps(scores)
    if labels is not None:
        rows["label"] = labels
    return bytes([BOXES]) + rows.tobytes()


def unpack_boxes(data: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
    """Boxes float32 [n, 4], scores float32 [n], labels uint8 [n]; ValueError when the bytes are of another kind."""
    rows = np.frombuffer(_body(data, BOXES), BOX_ROW)
    return (
        (rows["box"] / np.float32(STEPS)).astype(np.float32).reshape(-1, 4),
        (rows["score"] / np.float32(STEPS)).astype(np.float32),
        rows["label"].copy(),
    )


def _steps(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    return np.rint(np.clip(values, 0, 1).astype(np.float64) * STEPS).astype("<u2")


def _cut(data: bytes, lengths: NDArray[np.integer]) -> list[bytes]:
    ends = [0, *np.cumsum(lengths).tolist()]
    return [data[start:end] for start, end in pairwise(ends)]


def _body(data: bytes, kind: int) -> bytes:
    if not data or data[0] != kind:
        raise ValueError(f"these bytes are not of kind {kind}")
    return data[1:]
