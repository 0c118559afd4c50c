"""Opening embedders by name, and how their vectors are stored and compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms import face_features
from annotate.algorithms.difference_clustering import Clustering
from annotate.backends.contract import Embedder
from annotate.backends.embedders.builtin import BuiltinEmbedder
from annotate.backends.model_files import registry
from annotate.backends.runtime.onnx_session import AUTO, CPU

DEFAULT = registry.BUILTIN
Vectors = NDArray[np.float32]
Unpack = Callable[[Sequence[bytes | memoryview]], Vectors]


class VectorMetric(Protocol):
    """Compares vectors by a network."""

    length: int  # of a vector
    threshold: float  # the largest difference within one character

    def differences(self, first: Vectors, second: Vectors) -> Vectors:
        """Compute the differences float32 [n, m] of vectors [n, length] and [m, length]."""


@runtime_checkable
class DifferenceEmbedder(Embedder, VectorMetric, Protocol):
    """An embedder whose vectors are compared by a second network, not by distance."""

    clusterings: dict[str, Clustering]

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


@dataclass(frozen=True, slots=True)
class Comparison:
    """How stored vectors of an embedder are compared, without what computes them; `metric` None: by distance.

    `balance` weights unpacked vectors for naming.
    """

    name: str
    unpack: Unpack
    balance: Callable[[Vectors], Vectors]
    metric: VectorMetric | None = None

    def vectors(self, stored: Sequence[bytes | memoryview]) -> Vectors:
        """Unpack vectors to float32 [n, length], weighted for naming."""
        return self.balance(self.unpack(stored))


def open_comparison(name: str, models_dir: Path) -> Comparison:
    """Open what compares the vectors of an embedder, on the CPU. Raises BadInput as `open_embedder`."""
    if name == DEFAULT:
        return Comparison(name, BuiltinEmbedder.unpack, BuiltinEmbedder.balance)
    metric = registry.open_metric(registry.find(name, models_dir, task="embedding"), device=CPU, threads=1)
    return Comparison(name, unpack_of(metric), partial(balanced, metric), metric)


def comparison_by(embedder: Embedder) -> Comparison:
    """Return how the vectors of an open embedder are compared."""
    metric = embedder if isinstance(embedder, DifferenceEmbedder) else None
    return Comparison(embedder.info.name, unpack_of(embedder), partial(balanced, embedder), metric)


def packed(embedder: Embedder, vector: Vectors) -> bytes:
    """Pack one vector for the database."""
    pack: Callable[[Vectors], bytes] = getattr(embedder, "pack", face_features.pack)
    return pack(vector)


def balanced(embedder: object, vectors: Vectors) -> Vectors:
    """Weight an embedder's vectors [n, length] for naming, where it has weights."""
    balance: Callable[[Vectors], Vectors] = getattr(embedder, "balance", lambda same: same)
    return balance(vectors)


def unpack_of(embedder: object) -> Unpack:
    """Return the function that unpacks what `packed` returned for this embedder."""
    unpack: Unpack = getattr(embedder, "unpack", face_features.unpack)
    return unpack
