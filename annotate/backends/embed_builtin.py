"""The built-in embedder: colours of the parts of a head, under a metric learned from drawn people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features, head_place
from annotate.algorithms.metric import Metric
from annotate.backends import onnx_session, weights
from annotate.backends.contract import ModelInfo, Picture
from ingest.errors import BadInput

NAME = "face_metric"
PLACE = "head_place"  # a face network of its own, so that another detector does not change who is like whom
INPUTS, OUTPUTS = ["pictures"], ["heat", "shape"]


class HeadPlacer:
    """Finds where exactly the face lies in a head crop and cuts the head again."""

    def __init__(self) -> None:
        """Raises BadInput when the network is missing or damaged."""
        found = weights.read(PLACE, (weights.BUILTIN,))
        # Milliseconds on a processor: not worth a GPU's memory.
        opened = onnx_session.open_session(found.path, threads=1, device=onnx_session.CPU)
        onnx_session.check_names(opened, found.path, inputs=INPUTS, outputs=OUTPUTS, what="face network of Koma")
        self._session = opened.session
        self.version = f"place-{found.card.get('version', '')}"

    def settle(self, crop: Picture) -> Picture:
        """The head uint8 RGB [n, n, 3] of a crop as `cut_head` gives it, or of any picture of one head."""
        planes = []
        for view in head_place.views(crop):
            heat, shape = self._session.run(OUTPUTS, {"pictures": view})
            planes.append((heat[0], shape[0]))
        return head_place.settled(crop, head_place.place_of(planes))


class BuiltinEmbedder:
    """Describes head crops as `cut_head` gives them."""

    device = "CPU"
    length = face_features.FEATURES

    def __init__(self) -> None:
        """Raises BadInput when the metric's file or the network that settles heads is missing or damaged."""
        found = weights.read(NAME, (weights.BUILTIN,), suffix=".npz")
        self._metric = _metric(found.path, found.sha256)
        self._placer = HeadPlacer()
        self.info = ModelInfo(
            task="embedding",
            name=str(found.card.get("name", "builtin")),
            revision=f"{found.card.get('version', '')} {self._placer.version}",
            sha256=found.sha256,
            licence=str(found.card.get("licence", "")),
        )

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors float32 [n, length] of square head crops, in order."""
        return self._metric.apply(face_features.describe_heads(self._placer.settle(crop) for crop in crops))


@cache
def _metric(path: Path, sha256: str) -> Metric:
    """The metric of a file; `sha256` is part of the key, so that a replaced file is read again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            directions, shrink = arrays["directions"].astype(np.float32), arrays["shrink"].astype(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: the metric of the embedder cannot be read ({error}). Install Koma again.") from error
    if directions.ndim != 2 or directions.shape[1] != face_features.FEATURES or shrink.shape != directions.shape[:1]:
        raise BadInput(f"{path}: this metric belongs to another version of Koma. Install Koma again.")
    return Metric(directions, shrink)
