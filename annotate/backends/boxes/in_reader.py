"""Lets a face detector look at whole pictures beside other models, through the same reader."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate.backends.contract import Detections, FaceDetector, Picture


class LookingFaces:
    """A detector as a PictureModel: it takes pictures as they are and scales them itself."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self.info, self.device = detector.info, detector.device

    def fit(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(picture)

    def answer(self, batch: Picture, sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        """Faces of pictures uint8 [n, h, w, 3] in their pixels."""
        return self._detector.detect(list(batch))
