"""Face detection with a cascade of local binary patterns (OpenCV 4): the old baseline, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from annotate.algorithms.box_scale import BOX_SCALE, Border, enlarge
from annotate.algorithms.boxes import areas, clip
from annotate.backends.boxes import cascade_check
from annotate.backends.contract import Detections, ModelInfo, Picture
from annotate.backends.model_files import weights
from ingest.errors import BadInput

STEP, NEIGHBOURS, SIDE_MIN = 1.1, 5, 24  # as the cascade's author recommends


class CascadeFaces:
    """A cascade file (`NAME.xml`) from the models folder; its scores are all 1.

    Three numbers that are often confused: `step` is the ratio between the levels of its pyramid (larger: faster, misses
    more), `side_min` the smallest face in pixels, and `box_scale` the factor by which each box is enlarged about its
    centre: 1 keeps the face, which is what a face row needs, 1.5 covers the head. `border`: how to treat boxes that
    leave the picture.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        *,
        name: str = "lbpcascade_animeface",
        step: float = STEP,
        side_min: int = SIDE_MIN,
        neighbours: int = NEIGHBOURS,
        box_scale: float = BOX_SCALE,
        border: Border = Border.SHIFT,
    ) -> None:
        """Raises BadInput when the file is missing or not a cascade, an option is out of range, or this OpenCV has no
        cascades (5.0)."""
        if not (1.01 <= step <= 4 and 1 <= side_min <= 4096 and 0 <= neighbours <= 100 and 0.1 <= box_scale <= 10):
            raise BadInput(
                "A cascade needs a pyramid step from 1.01 to 4, a smallest face from 1 to 4096 pixels, 0 to 100 "
                "neighbours and a box scale from 0.1 to 10."
            )
        if border == Border.PAD:
            raise BadInput("Boxes of faces lie inside the picture: choose shift, clamp or drop at the border.")
        weights_file = weights.read(name, folders, suffix=".xml")
        if not hasattr(cv2, "CascadeClassifier"):
            raise BadInput("This OpenCV has no cascade classifier (version 5 dropped it); install opencv 4.")
        cascade_check.check(weights_file.path)
        try:
            self._cascade = cv2.CascadeClassifier(str(weights_file.path))
        except (cv2.error, SystemError) as error:
            raise BadInput(f"{weights_file.path}: OpenCV cannot read this cascade. Download the file again.") from error
        if self._cascade.empty():
            raise BadInput(f"{weights_file.path}: not an OpenCV cascade. Download the file again.")
        self._step, self._side_min, self._neighbours = step, side_min, neighbours
        self._scale, self._border = box_scale, border
        self.device = "CPU"
        self.info = ModelInfo(
            task="faces",
            name=name,
            revision="1",
            sha256=weights_file.sha256,
            settings={
                "step": step, "side_min": side_min, "neighbours": neighbours, "box_scale": box_scale,
                "border": border.value,
            },
        )  # fmt: skip

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Detect the faces of each picture."""
        return [self._detect_one(picture) for picture in pictures]

    def _detect_one(self, picture: Picture) -> Detections:
        height, width = picture.shape[:2]
        grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        rows = self._cascade.detectMultiScale(
            grey, scaleFactor=self._step, minNeighbors=self._neighbours, minSize=(self._side_min, self._side_min)
        )
        corner = np.array(rows, np.float32).reshape(-1, 4)
        corner[:, 2:] += corner[:, :2]
        grown, _ = enlarge(clip(corner, width, height), self._scale, width, height, border=self._border)
        cut = grown[areas(grown) > 0]
        return Detections(cut, np.ones(len(cut), np.float32))
