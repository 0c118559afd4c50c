"""The built-in embedder: colours of the parts of a head, under a metric learned from drawn people."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features
from annotate.algorithms.metric import Metric
from annotate.backends import weights
from annotate.backends.contract import ModelInfo, Picture
from ingest.errors import BadInput

NAME = "face_metric"


class BuiltinEmbedder:
    """Describes head crops as `cut_head` gives them."""

    device = "CPU"
    length = face_features.FEATURES

    def __init__(self) -> None:
        """Raises BadInput when the metric's file is missing or damaged."""
        found = weights.read(NAME, (weights.BUILTIN,), suffix=".npz")
        self._metric = _metric(found.path, found.sha256)
        self.info = ModelInfo(
            task="embedding",
            name=str(found.card.get("name", "builtin")),
            revision=str(found.card.get("version", "")),
            sha256=found.sha256,
            licence=str(found.card.get("licence", "")),
        )

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors float32 [n, length] of square head crops, in order."""
        return self._metric.apply(face_features.describe_heads(crops))


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
