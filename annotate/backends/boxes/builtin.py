"""The built-in face detector: a small network over a pyramid of the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.face_pyramid import (
    FIRST_SHARE,
    LOOK_SIDE,
    LOOKS,
    Level,
    confirm,
    decode,
    levels,
    looks,
    merge,
    reachable,
    refine,
)
from annotate.backends.contract import Detections, ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.runtime import onnx_session
from annotate.backends.runtime.onnx_session import AUTO
from ingest.errors import BadInput

Planes = NDArray[np.float32]

INPUTS, OUTPUTS = ["pictures"], ["heat", "shape"]
# For small faces: longest side of the first level, and ratio of one level to the next (the network detects faces of
# 14 to 84 pixels).
SMALL_LONGEST, SMALL_RATIO = 1280, 0.4
STRAY = 1e-3  # tolerance of scores outside 0 to 1
STRIDE_MAX, LONGEST_MAX = 64, 8192
GPU_PIXELS = 8 * 1280 * 720  # per call
CARD: dict[str, Any] = {
    "threshold": 0.5,
    "stride": 8,
    "unit_side": 32.0,
    "side_min": 0.0,
    "longest": 1120,
    "second_look": False,
    "refined": False,
    "opinion": "",
}


class BuiltinFaces:
    """Detector for any ONNX file with this interface; the JSON beside it may override the values of CARD.

    `longest` is the longest side of the first pyramid level, `side_min` the smallest face in that level, `second_look`
    whether each detection is verified by a second pass, `refined` whether that pass also corrects its box, `opinion`
    the name of another network of this interface that sees the second pass, too (see `confirm`). `threshold_small` is
    the threshold for small faces.
    """

    def __init__(
        self,
        folders: Sequence[Path] = (weights.BUILTIN,),
        *,
        name: str = "faces",
        threshold: float | None = None,
        small_faces: bool = False,
        threads: int = 0,
        device: str = AUTO,
    ) -> None:
        """`small_faces`: process pictures of up to 1280 pixels at full size; finds smaller faces and takes longer.

        Raises BadInput when the weights are missing, damaged or of a different model type.
        """
        weights_file = weights.read(name, folders)
        self._opened = self._open(weights_file, threads=threads, device=device)
        card = CARD | weights_file.card
        try:
            usual = card.get("threshold_small", card["threshold"]) if small_faces else card["threshold"]
            self.threshold = float(usual if threshold is None else threshold)
            self._stride, self._unit = int(card["stride"]), float(card["unit_side"])
            self._side_min = float(card["side_min"])
            self._longest = max(SMALL_LONGEST, int(card["longest"])) if small_faces else int(card["longest"])
            self._ratio = SMALL_RATIO if small_faces else 0.5
            self._second_look, self._refined = bool(card["second_look"]), bool(card["refined"])
            cache_values = (self.threshold, self._unit, self._side_min)
            if not (all(map(math.isfinite, cache_values)) and self._unit > 0 and 1 <= self._stride <= STRIDE_MAX):
                raise ValueError
            if not LOOK_SIDE <= self._longest <= LONGEST_MAX:
                raise ValueError
        except (TypeError, ValueError, OverflowError) as error:
            raise BadInput(
                f"{weights_file.path.with_suffix('.json')}: threshold, stride, unit_side, side_min and longest must be "
                "numbers in the detector's range."
            ) from error
        opinion = str(card["opinion"])
        self._opinion = self._open(weights.read(opinion, folders), threads=threads, device=device) if opinion else None
        self.device = self._opened.device
        self.info = ModelInfo(
            task="faces",
            name=str(card.get("name", name)) + ("-small" if small_faces else ""),
            revision=str(card.get("version", "")),
            sha256=weights_file.sha256,
            licence=str(card.get("licence", "")),
            settings={"threshold": self.threshold, "longest": self._longest},
        )

    @staticmethod
    def _open(weights_file: weights.Weights, *, threads: int, device: str) -> onnx_session.Opened:
        opened = onnx_session.open_session(weights_file.path, threads=threads, device=device)
        onnx_session.check_names(
            opened, weights_file.path, inputs=INPUTS, outputs=OUTPUTS, what="face detector of Koma"
        )
        return opened

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """Detect the faces of each picture. A CPU runs one level per call, so results never depend on the batch."""
        work: dict[tuple[int, ...], list[tuple[int, Level]]] = {}
        for place, picture in enumerate(pictures):
            for level in levels(picture, longest=self._longest, ratio=self._ratio, step=2 * self._stride):
                work.setdefault(level.pixels.shape, []).append((place, level))
        parts: list[list[tuple[Level, Any, Any]]] = [[] for _ in pictures]
        for shape, members in work.items():
            together = max(1, GPU_PIXELS // (shape[0] * shape[1])) if self._opened.on_gpu else 1
            for start in range(0, len(members), together):
                chunk = members[start : start + together]
                heat, shapes = _run(self._opened, np.stack([level.pixels for _, level in chunk]))
                for (place, level), one_heat, one_shape in zip(chunk, heat, shapes):
                    parts[place].append((level, *self._decode(one_heat, one_shape)))
        return [self._confirm(picture, part) for picture, part in zip(pictures, parts)]

    def _decode(self, heat: Planes, shape: Planes) -> tuple[Planes, Planes]:
        share = FIRST_SHARE if self._second_look else 1.0
        return decode(heat, shape, threshold=share * self.threshold, stride=self._stride, unit_side=self._unit)

    def _confirm(self, picture: Picture, parts: list[tuple[Level, Any, Any]]) -> Detections:
        detections = merge(parts, picture.shape[1], picture.shape[0], side_min=self._side_min)
        if not self._second_look or not len(detections.boxes):
            return detections
        squares = looks(picture, detections)
        heat, shape = _run(self._opened, squares)
        if self._refined:
            height, width = picture.shape[:2]
            detections = refine(
                detections, heat, shape, width=width, height=height, stride=self._stride, unit_side=self._unit
            )
        if self._opinion is None:
            return confirm(detections, heat, threshold=self.threshold)
        # Only finds that full marks of the other network could save are shown to it.
        open_rows = reachable(detections, heat, threshold=self.threshold)
        if not len(open_rows):
            return Detections(detections.boxes[open_rows], detections.scores[open_rows])
        rows = (len(LOOKS) * open_rows[:, None] + np.arange(len(LOOKS))).ravel()
        detections = Detections(detections.boxes[open_rows], detections.scores[open_rows])
        return confirm(detections, heat[rows], _run(self._opinion, squares[rows])[0], threshold=self.threshold)


def _run(opened: onnx_session.Opened, pictures: Picture) -> tuple[Planes, Planes]:
    try:
        heat, shape = opened.session.run(OUTPUTS, {"pictures": pictures})
    except onnx_session.RUN_ERRORS as error:
        why = onnx_session.first_line(error)
        raise BadInput(f"{opened.name}: running this network failed ({why}). Download it again.") from error
    has_right_shape = heat.ndim == 3 and shape.ndim == 4 and shape.shape[1] in (3, 4) and len(heat) == len(pictures)
    if not has_right_shape or heat.shape != (len(shape), *shape.shape[2:]):
        raise BadInput(f"{opened.name}: outputs {heat.shape} and {shape.shape} are not a face detector's.")
    if not (np.abs(heat) <= 1 + STRAY).all() or not np.isfinite(shape).all():
        raise BadInput(f"{opened.name}: the output holds invalid scores or boxes. Download it again.")
    return heat, shape
