"""Faces by a cascade of local binary patterns (OpenCV 4): the old baseline, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from annotate.algorithms import boxes
from annotate.backends import weights
from annotate.backends.contract import Found, ModelInfo, Picture
from ingest.errors import BadInput


class CascadeFaces:
    """A cascade file (`NAME.xml`) from the models folder; its scores are all 1."""

    def __init__(self, folders: Sequence[Path], *, name: str = "lbpcascade_animeface") -> None:
        """Raises BadInput when the file is missing or no cascade, or this OpenCV has no cascades (5.0)."""
        found = weights.read(name, folders, suffix=".xml")
        if not hasattr(cv2, "CascadeClassifier"):
            raise BadInput("This OpenCV has no cascade classifier (version 5 dropped it); install opencv 4.")
        try:
            self._cascade = cv2.CascadeClassifier(str(found.path))
        except (cv2.error, SystemError) as error:
            raise BadInput(f"{found.path}: OpenCV cannot read this cascade. Get the file again.") from error
        if self._cascade.empty():
            raise BadInput(f"{found.path}: the file is no cascade of OpenCV. Get the file again.")
        self.device = "CPU"
        self.info = ModelInfo(task="faces", name=name, revision="1", sha256=found.sha256)

    def detect(self, pictures: Sequence[Picture]) -> list[Found]:
        """Faces of each picture, scale step 1.1, 5 neighbours, from 24 pixels."""
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: Picture) -> Found:
        grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
        rows = self._cascade.detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24))
        corner = np.array(rows, np.float32).reshape(-1, 4)
        corner[:, 2:] += corner[:, :2]
        cut = boxes.clip(corner, picture.shape[1], picture.shape[0])
        return Found(cut, np.ones(len(cut), np.float32))
