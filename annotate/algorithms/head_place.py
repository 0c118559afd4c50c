"""Exact position of a face in a head crop, from a face network's planes at several sizes, averaged.

A detector's box is off by a few per cent, and the colours around an eye are sensitive to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_features import FACE_CENTRE_DOWN, HEAD_SIDE_PX, cut_head

Picture = NDArray[np.uint8]
Planes = NDArray[np.float32]

STRIDE = 8
UNIT_SIDE = 32.0  # the third shape plane is ln(face side / UNIT_SIDE)
VIEWS = ((80, False), (112, True))  # side in pixels, mirrored
EXPECTED = (0.5, FACE_CENTRE_DOWN)
REACH = 0.2  # how far from there a face may well lie, in parts of the crop
SCORE_MIN = 0.15  # of a view that has a say
# Told on drawn people: a cut somewhat closer than the crop holds less of the background and as much of the person.
ZOOM = 1.07


@dataclass(frozen=True, slots=True)
class Place:
    """Middle of a face and its side, in parts of the crop's width and height."""

    x: float
    y: float
    side: float


def views(crop: Picture) -> list[Picture]:
    """The crop uint8 RGB [h, w, 3] as the network sees it: [1, side, side, 3] for each of VIEWS."""
    crops = []
    for side, mirrored in VIEWS:
        smaller = side < max(crop.shape[:2])
        seen = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
        crops.append(np.ascontiguousarray((seen[:, ::-1] if mirrored else seen)[None], np.uint8))
    return crops


def place_of(planes: list[tuple[Planes, Planes]]) -> Place | None:
    """The face nearest to where it is expected, from heat [h, w] and shape [3, h, w] of each of VIEWS; None without."""
    places, scores = [], []
    for (heat, shape), (side, mirrored) in zip(planes, VIEWS, strict=True):
        cells = (np.arange(len(heat), dtype=np.float32) + 0.5) / len(heat)
        closeness = np.exp(-0.5 * (((cells[None] - EXPECTED[0]) ** 2 + (cells[:, None] - EXPECTED[1]) ** 2) / REACH**2))
        row, column = divmod(int((heat * closeness).argmax()), heat.shape[1])
        if heat[row, column] < SCORE_MIN:
            continue
        x = float(column + 0.5 + shape[0, row, column]) * STRIDE / side
        y = float(row + 0.5 + shape[1, row, column]) * STRIDE / side
        size = UNIT_SIDE * float(np.exp(np.clip(shape[2, row, column], -4, 4))) / side
        places.append((1 - x if mirrored else x, y, size))
        scores.append(float(heat[row, column]))
    if not places:
        return None
    x, y, size = (float(value) for value in np.average(places, axis=0, weights=scores))
    return Place(x, y, size)


def settled(crop: Picture, place: Place | None) -> Picture:
    """The head cut again round its face, uint8 RGB [HEAD_SIDE_PX, HEAD_SIDE_PX, 3]; the whole crop without a place."""
    if place is None:
        square = cv2.resize(crop, (HEAD_SIDE_PX, HEAD_SIDE_PX), interpolation=cv2.INTER_AREA)
        return np.asarray(square, np.uint8)
    height, width = crop.shape[:2]
    half = place.side / 2 / ZOOM
    box = ((place.x - half) * width, (place.y - half) * height, (place.x + half) * width, (place.y + half) * height)
    return cut_head(crop, box)
