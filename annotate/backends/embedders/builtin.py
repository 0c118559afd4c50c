"""The built-in embedder: colours of the parts of a head under a learned metric, and a network's view of the whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from annotate.algorithms import face_features
from annotate.algorithms.metric import Metric
from annotate.backends.contract import ModelInfo, Picture
from annotate.backends.model_files import weights
from annotate.backends.taggers.heads import HeadPlacer, HeadReader
from ingest.errors import BadInput

NAME = "face_metric"
# How much the network's vector counts beside the colours. Told before it was measured on real people: on drawn ones,
# which the network knows best, 1 would be better still.
NETWORK_WEIGHT = 0.5
NETWORK_VALUES = 96
LENGTH = face_features.FEATURES + NETWORK_VALUES


class BuiltinEmbedder:
    """Describes head crops as `cut_head` gives them, and any other picture of one head."""

    device = "CPU"
    length = LENGTH

    def __init__(self) -> None:
        """Raises BadInput when the metric or one of the networks is missing or damaged."""
        weights_file = weights.read(NAME, (weights.BUILTIN,), suffix=".npz")
        self._metric = _metric(weights_file.path, weights_file.sha256)
        self._placer, self._reader = HeadPlacer(), HeadReader()
        if self._reader.vector_length != NETWORK_VALUES:
            raise BadInput("heads.onnx belongs to another version of Koma. Install Koma again.")
        files = "\n".join((weights_file.sha256, self._placer.sha256, self._reader.sha256))
        self.info = ModelInfo(
            task="embedding",
            name=str(weights_file.card.get("name", "builtin")),
            revision=f"{weights_file.card.get('version', '')} heads-{self._reader.card.get('version', '')}",
            sha256=hashlib.sha256(files.encode()).hexdigest(),
            licence=str(weights_file.card.get("licence", "")),
        )

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors float32 [n, length] of square head crops, in order."""
        with threadpool_limits(1):  # small products: threads that wait for each other cost more than they gain
            rows = [self._one(crop) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, LENGTH), np.float32)

    def _one(self, crop: Picture) -> NDArray[np.float32]:
        head = self._placer.settle(crop)
        colours = self._metric.apply(face_features.describe_head(head)[None])[0]
        return np.concatenate([colours, NETWORK_WEIGHT * self._reader.read(head).vector]).astype(np.float32)

    @staticmethod
    def pack(vector: NDArray[np.float32]) -> bytes:
        """One vector in a byte a value."""
        return face_features.pack(vector)

    @staticmethod
    def unpack(stored: Sequence[bytes | memoryview]) -> NDArray[np.float32]:
        """Packed vectors float32 [n, length]; ValueError when one has another length."""
        return face_features.unpack(stored, values=LENGTH)


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
