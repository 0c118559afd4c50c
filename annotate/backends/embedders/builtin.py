"""The built-in embedder: colours of head regions under a learned metric, combined with a network's vector."""

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
# Weight of the network's vector relative to the colours. Set before it was measured on real people: on drawn
# characters, which the network was trained on, 1 would be better still.
NETWORK_WEIGHT = 0.5
NETWORK_VALUES = 96
LENGTH = face_features.FEATURES + NETWORK_VALUES
# For naming the network's vector counts as much as the colours: with this weight, both vary as much between faces.
NAMING_NETWORK_WEIGHT = 1.0


class BuiltinEmbedder:
    """Embeds head crops as returned by `cut_head`, and any other picture of one head."""

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
        """Return the vectors float32 [n, length] of square head crops, in order."""
        with threadpool_limits(1):  # small products: synchronising threads costs more than it gains
            rows = [self._embed_one(crop) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, LENGTH), np.float32)

    def _embed_one(self, crop: Picture) -> NDArray[np.float32]:
        head = self._placer.settle(crop)
        colours = self._metric.apply(face_features.describe_head(head)[None])[0]
        return np.concatenate([colours, NETWORK_WEIGHT * self._reader.read(head).vector]).astype(np.float32)

    @staticmethod
    def pack(vector: NDArray[np.float32]) -> bytes:
        """Pack a vector into one byte per value."""
        return face_features.pack(vector)

    @staticmethod
    def balance(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weight vectors [n, length] for naming."""
        network = vectors[:, face_features.FEATURES :] * (NAMING_NETWORK_WEIGHT / NETWORK_WEIGHT)
        return np.hstack([vectors[:, : face_features.FEATURES], network])

    @staticmethod
    def unpack(stored: Sequence[bytes | memoryview]) -> NDArray[np.float32]:
        """Unpack vectors to float32 [n, length]. Raises ValueError when one has a different length."""
        return face_features.unpack(stored, values=LENGTH)


@cache
def _metric(path: Path, sha256: str) -> Metric:
    """Load the metric from a file; `sha256` is part of the cache key, so that a replaced file is read again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            directions, shrink = arrays["directions"].astype(np.float32), arrays["shrink"].astype(np.float32)
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: the metric of the embedder cannot be read ({error}). Install Koma again.") from error
    if directions.ndim != 2 or directions.shape[1] != face_features.FEATURES or shrink.shape != directions.shape[:1]:
        raise BadInput(f"{path}: this metric belongs to another version of Koma. Install Koma again.")
    return Metric(directions, shrink)
