"""Opens an embedder by its name, and tells how its vectors are kept and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features
from annotate.algorithms.difference_clustering import Clustering
from annotate.backends.contract import Embedder
from annotate.backends.embedders.builtin import BuiltinEmbedder
from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import AUTO

DEFAULT = registry.BUILTIN
Vectors = NDArray[np.float32]
Unpack = Callable[[Sequence[bytes | memoryview]], Vectors]


@runtime_checkable
class DifferenceEmbedder(Embedder, Protocol):
    """An embedder whose vectors are compared by a network of its own, not by distance."""

    threshold: float  # differences up to it mean the same character
    clusterings: dict[str, Clustering]

    def differences(self, first: Vectors, second: Vectors) -> Vectors:
        """Differences float32 [n, m] of vectors [n, length] and [m, length]."""

    def among(self, vectors: Vectors) -> Vectors:
        """All differences float32 [n, n] of a short list of vectors [n, length]."""


class Attentive:
    """An embedder that tells, each time it compares, that it is at work; `tell` may raise to stop it."""

    def __init__(self, embedder: DifferenceEmbedder, tell: Callable[[], None]) -> None:
        self._embedder, self._tell = embedder, tell

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def differences(self, first: Vectors, second: Vectors) -> Vectors:
        self._tell()
        return self._embedder.differences(first, second)

    def among(self, vectors: Vectors) -> Vectors:
        self._tell()
        return self._embedder.among(vectors)


def attentive(embedder: Embedder, tell: Callable[[], None]) -> Embedder:
    """One that compares by a network calls `tell` with each comparison; others are quick and stay as they are."""
    if not isinstance(embedder, DifferenceEmbedder):
        return embedder
    watched: Any = Attentive(embedder, tell)
    checked: Embedder = watched
    return checked


def open_embedder(name: str, models_dir: Path, *, device: str = AUTO, threads: int = 0) -> Embedder:
    """`builtin`, or an installed model by its name; BadInput when there is none or it cannot be used."""
    if name == DEFAULT:
        return BuiltinEmbedder()
    opened: Embedder = registry.open_model(
        registry.find(name, models_dir, task="embedding"), device=device, threads=threads
    )
    return opened


def packed(embedder: Embedder, vector: Vectors) -> bytes:
    """One vector as the database keeps it."""
    pack: Callable[[Vectors], bytes] = getattr(embedder, "pack", face_features.pack)
    return pack(vector)


def unpack_of(embedder: Embedder) -> Unpack:
    """What reads the vectors back that `packed` made for this embedder."""
    unpack: Unpack = getattr(embedder, "unpack", face_features.unpack)
    return unpack
