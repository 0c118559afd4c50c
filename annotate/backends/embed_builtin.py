"""The built-in embedder: colours of the parts of a head, no weights file needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features
from annotate.backends.contract import ModelInfo, Picture


class BuiltinEmbedder:
    """Describes head crops by `face_features`."""

    info = ModelInfo(task="embedding", name="builtin", revision=face_features.FEATURES_VERSION, licence="MIT")
    device = "CPU"
    length = face_features.FEATURES

    def embed(self, crops: Sequence[Picture]) -> NDArray[np.float32]:
        """Vectors float32 [n, length] of square head crops, in order."""
        return face_features.describe_heads(crops)
