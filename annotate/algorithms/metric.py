"""What changes in one person's descriptions (light, view, expression) counts less, as learned from known people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

DIRECTIONS = 128
# A variance within people of this size is halved.
NOISE = 0.01


@dataclass(frozen=True, slots=True)
class Metric:
    """Orthonormal `directions` [k, D] in which one person varies, and what share of each goes, `shrink` [k]."""

    directions: FloatArray
    shrink: FloatArray

    def apply(self, features: FloatArray) -> FloatArray:
        """Descriptions [N, D] whose distances tell people apart better."""
        along = features @ self.directions.T
        return np.asarray(features - (along * self.shrink) @ self.directions, np.float32)


def learn(features: FloatArray, people: npt.ArrayLike) -> Metric:
    """Learn from descriptions [N, D] of known `people` [N], each with at least two.

    The covariance W within people is kept by its largest directions; x becomes (I + W / NOISE)^(-1/2) x, the whitening
    of a ridge discriminant.
    """
    names, index = np.unique(np.asarray(people), return_inverse=True)
    means = np.stack([features[index == person].mean(axis=0) for person in range(len(names))])
    inside = (features - means[index]).astype(np.float64) / np.sqrt(max(len(features) - len(names), 1))
    _, strength, directions = np.linalg.svd(inside, full_matrices=False)
    kept = min(DIRECTIONS, len(strength))
    largest = directions[:kept][np.arange(kept), np.abs(directions[:kept]).argmax(axis=1)]
    signed = directions[:kept] * np.where(largest < 0, -1.0, 1.0)[:, None]
    shrink = 1.0 - 1.0 / np.sqrt(1.0 + strength[:kept] ** 2 / NOISE)
    return Metric(signed.astype(np.float32), shrink.astype(np.float32))
