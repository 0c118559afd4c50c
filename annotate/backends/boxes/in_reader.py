"""Adapter that runs a face detector through the shared reader, together with other models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate.backends.contract import Detections, FaceDetector, Picture


class LookingFaces:
    """A face detector as a PictureModel: it takes pictures at full size and scales them itself."""

    def __init__(self, detector: FaceDetector) -> None:
        self._detector = detector
        self.info, self.device = detector.info, detector.device

    def fit(self, picture: Picture) -> Picture:
        return np.ascontiguousarray(picture)

    def answer(self, batch: Picture, sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        """Detect faces in pictures uint8 [n, h, w, 3]; boxes are in the pixels of each picture."""
        return self._detector.detect(list(batch))
