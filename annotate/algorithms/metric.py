"""A learned metric that discounts variation within one character (light, view, expression)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

DIRECTIONS = 160
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


def learn(sources: Sequence[tuple[FloatArray, npt.ArrayLike, float]]) -> Metric:
    """Learn from sources of descriptions [N, D], their `people` [N], each with at least two, and a share of the whole.

    The covariance W within people, the shares' mean, is kept by its largest directions; x becomes
    (I + W / NOISE)^(-1/2) x, the whitening of a ridge discriminant.
    """
    total = sum(share for _, _, share in sources)
    inside = np.concatenate([_within(rows, people) * np.sqrt(share / total) for rows, people, share in sources])
    strength, directions = _largest(inside)
    largest = directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)]
    signed = directions * np.where(largest < 0, -1.0, 1.0)[:, None]
    shrink = 1.0 - 1.0 / np.sqrt(1.0 + strength / NOISE)
    return Metric(signed.astype(np.float32), shrink.astype(np.float32))


def _within(features: FloatArray, people: npt.ArrayLike) -> FloatArray:
    """Offsets from each person's mean, scaled so that their Gram matrix is the covariance within people."""
    names, index = np.unique(np.asarray(people), return_inverse=True)
    sums = np.zeros((len(names), features.shape[1]))
    np.add.at(sums, index, features)
    means = sums / np.bincount(index)[:, None]
    return np.asarray((features - means[index]) / np.sqrt(max(len(features) - len(names), 1)), np.float32)


def _largest(inside: FloatArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The largest variances [k] and their unit directions [k, D] of offsets [N, D], by the smaller Gram matrix."""
    wide = inside.shape[1] > len(inside)
    gram = (inside @ inside.T if wide else inside.T @ inside).astype(np.float64)
    rank = min(DIRECTIONS, len(gram))
    from scipy.linalg import eigh  # a quarter of a second, which no page waits for

    strength, vectors = eigh(gram, subset_by_index=(len(gram) - rank, len(gram) - 1))
    strength, vectors = np.maximum(strength[::-1], 1e-12), vectors[:, ::-1]
    directions = (inside.T @ vectors / np.sqrt(strength)).T if wide else vectors.T
    return strength, np.asarray(directions)
