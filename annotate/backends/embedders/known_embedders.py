"""Opening embedders by name, and how their vectors are stored and compared."""

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
    """An embedder whose vectors are compared by a second network, not by distance."""

    threshold: float  # the largest difference within one character
    clusterings: dict[str, Clustering]

    def differences(self, first: Vectors, second: Vectors) -> Vectors:
        """Compute the differences float32 [n, m] of vectors [n, length] and [m, length]."""

    def among(self, vectors: Vectors) -> Vectors:
        """Compute all differences float32 [n, n] of a short list of vectors [n, length]."""


class Attentive:
    """A difference embedder that calls `tell` with each comparison; `tell` may raise to stop it."""

    def __init__(self, embedder: DifferenceEmbedder, on_progress: Callable[[], None]) -> None:
        self._embedder, self._on_progress = embedder, on_progress

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def differences(self, first: Vectors, second: Vectors) -> Vectors:
        self._on_progress()
        return self._embedder.differences(first, second)

    def among(self, vectors: Vectors) -> Vectors:
        self._on_progress()
        return self._embedder.among(vectors)


def attentive(embedder: Embedder, on_progress: Callable[[], None]) -> Embedder:
    """Wrap an embedder that compares by a network, so that it calls `tell` per comparison; return others unchanged."""
    if not isinstance(embedder, DifferenceEmbedder):
        return embedder
    watched: Any = Attentive(embedder, on_progress)
    checked: Embedder = watched
    return checked


def open_embedder(name: str, models_dir: Path, *, device: str = AUTO, threads: int = 0) -> Embedder:
    """Open `builtin` or an installed model by name. Raises BadInput when it is missing or cannot be used."""
    if name == DEFAULT:
        return BuiltinEmbedder()
    opened: Embedder = registry.open_model(
        registry.find(name, models_dir, task="embedding"), device=device, threads=threads
    )
    return opened


def packed(embedder: Embedder, vector: Vectors) -> bytes:
    """Pack one vector for the database."""
    pack: Callable[[Vectors], bytes] = getattr(embedder, "pack", face_features.pack)
    return pack(vector)


def unpack_of(embedder: Embedder) -> Unpack:
    """Return the function that unpacks what `packed` returned for this embedder."""
    unpack: Unpack = getattr(embedder, "unpack", face_features.unpack)
    return unpack
