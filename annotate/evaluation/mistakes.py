"""The worst mistakes of a measurement, with their pictures, for the page Accuracy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
WORST = 24  # kept per measurement


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake; `pictures` are one or two paths below the measured folder.

    Boxes are (left, top, right, bottom), 0 to 1. On a collection there are no paths: `frame` and `face` are the keys of
    the rows.
    """

    pictures: tuple[str, ...]
    words: str
    missed: tuple[Box, ...] = ()
    false: tuple[Box, ...] = ()
    frame: int = 0
    face: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "pictures": list(self.pictures),
            "words": self.words,
            "missed": [list(box) for box in self.missed],
            "false": [list(box) for box in self.false],
            **({"frame": self.frame, "face": self.face} if self.frame else {}),
        }


def relative_boxes(boxes: NDArray[np.float32], width: int, height: int) -> tuple[Box, ...]:
    """Convert boxes [n, 4] in pixels to shares of the picture, 0 to 1."""
    rows = (boxes.astype(np.float64) / np.array([width, height, width, height])).round(4).tolist()
    return tuple((row[0], row[1], row[2], row[3]) for row in rows)
