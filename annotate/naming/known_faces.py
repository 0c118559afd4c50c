"""Named faces as examples, for embedders that compare by a network (CCIP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotate.algorithms import difference_clustering as by_difference
from annotate.backends.embedders.known_embedders import VectorMetric

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KnownFaces:
    """Vectors [M, d] with their characters: `owner` [M] is an index into `labels` [K], the characters' keys."""

    labels: IntArray
    vectors: FloatArray
    owner: IntArray
    metric: VectorMetric

    @classmethod
    def of(cls, vectors: FloatArray, characters: IntArray, metric: VectorMetric) -> KnownFaces:
        """Build from vectors [M, d] and the character key of each [M]."""
        labels, owner = np.unique(characters, return_inverse=True)
        return cls(labels, vectors, owner.astype(np.int64), metric)

    def likeness(self, features: FloatArray) -> FloatArray:
        """Return the similarity [N, K] of `features` [N, d] to each character, by the least difference to a known
        face."""
        across = by_difference.across_of(features, self.vectors, self.metric.differences)
        smallest = by_difference.nearest(across, self.owner, len(self.labels))
        return by_difference.likeness(smallest, threshold=self.metric.threshold)
