"""Clustering and naming of faces by a learned difference (0 the same character, larger another), not a distance.

Ankerst et al.: OPTICS, 1999; Ester et al.: DBSCAN, 1996, both over the differences themselves; then the rules of
deepghs' CCIP and of the screenshot pipelines built on it. All pairs are compared, up to SQUARE_MAX faces; for more see
`difference_graph`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from annotate.algorithms.optics import optics

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Differences = Callable[[FloatArray, FloatArray], FloatArray]  # [n, d], [m, d] -> [n, m]

NOBODY = -1
SQUARE_MAX = 6_000  # 144 MB of differences
BLOCK = 128  # rows per call; a metric network may hold all pairs of them for every dimension
SHARE_ROUNDING = 1e-9  # shares are quotients: one that is reached exactly counts
SAME_SHARE, SAME_COUNT = 0.6, 20  # a face belongs where so large a share, or so many, are the same person
MERGE_SHARE = 0.85
# How fast a name gets unsure round the threshold, and between two people, in parts of the threshold.
STRANGER_WIDTH, BETWEEN_WIDTH = 0.125, 0.15


@dataclass(frozen=True, slots=True)
class Clustering:
    """Clustering parameters: `eps` is the largest difference between neighbours; for optics it may be infinite."""

    method: str  # optics, dbscan
    eps: float
    min_samples: int


DEFAULTS = {  # as published with CCIP
    "optics": Clustering("optics", 0.5, 5),
    "dbscan": Clustering("dbscan", 0.178475, 2),
    "dbscan_2": Clustering("dbscan", 0.12921, 2),
    "dbscan_free": Clustering("dbscan", 0.12912, 2),
    "optics_best": Clustering("optics", 0.18365, 5),
}


def square_of(points: FloatArray, differences: Differences) -> FloatArray:
    """Compute all differences [N, N] of points [N, d], in blocks; symmetric, 0 on the diagonal."""
    count = len(points)
    square = np.zeros((count, count), np.float32)
    for row in range(0, count, BLOCK):
        for column in range(row, count, BLOCK):
            part = differences(points[row : row + BLOCK], points[column : column + BLOCK])
            square[row : row + BLOCK, column : column + BLOCK] = part
            square[column : column + BLOCK, row : row + BLOCK] = part.T
    np.fill_diagonal(square, 0)
    return np.maximum(square, 0)


def clusters_of(
    differences: FloatArray | csr_array, clustering: Clustering, *, on_progress: Callable[[], None] = lambda: None
) -> IntArray:
    """Groups [N] 0, 1, ... of a matrix [N, N], all of it or of some pairs; NOBODY for those that fit nowhere."""
    count, eps = differences.shape[0], clustering.eps
    if count < max(2, clustering.min_samples):
        return np.full(count, NOBODY, np.int64)
    if clustering.method == "optics":
        return optics(differences, eps=eps, min_samples=clustering.min_samples, on_progress=on_progress)
    if clustering.method != "dbscan":
        raise ValueError(f"{clustering.method!r} is not a clustering method: choose optics or dbscan")
    from sklearn.cluster import DBSCAN  # late: it takes longer than Koma, and most processes never group faces

    dbscan = DBSCAN(eps=eps, min_samples=clustering.min_samples, metric="precomputed")
    return np.asarray(dbscan.fit_predict(differences), np.int64)


def matched(
    across: FloatArray, owner: IntArray, *, threshold: float, share: float = SAME_SHARE, count: int = SAME_COUNT
) -> IntArray:
    """The group [n] that each row of differences [n, m] to members joins, or NOBODY; `owner` [m] >= 0.

    It is the group of the smallest mean difference, if `share` of its members or `count` of them are the same person.
    """
    groups = int(owner.max()) + 1 if len(owner) else 0
    if not groups or not len(across):
        return np.full(len(across), NOBODY, np.int64)
    member = np.zeros((len(owner), groups), np.float32)
    member[np.arange(len(owner)), owner] = 1
    sizes = member.sum(axis=0)
    mean = np.where(sizes > 0, across @ member / np.maximum(sizes, 1), np.inf)
    best = mean.argmin(axis=1)
    same = ((across <= threshold).astype(np.float32) @ member)[np.arange(len(across)), best]
    is_match = (same >= share * sizes[best] - 1e-6) | (same >= count)
    return np.where(is_match, best, NOBODY).astype(np.int64)


def merged(square: FloatArray, label: IntArray, *, threshold: float, share: float = MERGE_SHARE) -> IntArray:
    """Repeatedly join the two groups with the largest share of same-character pairs, while it is at least `share`."""
    groups = np.unique(label[label != NOBODY])
    member = (label[:, None] == groups[None]).astype(np.float32)
    sizes, same = member.sum(axis=0).astype(np.float64), np.zeros((len(groups), len(groups)))
    for start in range(0, len(square), BLOCK):
        rows = slice(start, start + BLOCK)
        same += member[rows].T @ ((square[rows] <= threshold).astype(np.float32) @ member)
    pairs = joined_groups(same, sizes, share=share)
    merged_labels = label.copy()
    inside = label != NOBODY
    merged_labels[inside] = groups[pairs[np.searchsorted(groups, label[inside])]]
    return merged_labels


def joined_groups(same: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64], *, share: float) -> IntArray:
    """The group [G] that each group ends in, from the numbers of same pairs [G, G] between groups of `sizes` [G].

    The numbers of two groups that are joined add up. Both arrays are changed.
    """
    into = np.arange(len(sizes))
    parts = np.full(same.shape, -1.0)
    upper = np.triu_indices(len(sizes), 1)
    parts[upper] = (same / np.outer(sizes, sizes))[upper]
    while len(sizes) > 1:
        first, second = np.unravel_index(int(parts.argmax()), parts.shape)
        if parts[first, second] < share - SHARE_ROUNDING:
            break
        into[into == second] = first
        same[first] += same[second]
        same[:, first] += same[:, second]
        sizes[first] += sizes[second]
        parts[second], parts[:, second] = -1.0, -1.0
        here = np.flatnonzero(into == np.arange(len(into)))
        before, after = here[here < first], here[here > first]
        parts[before, first] = same[before, first] / (sizes[before] * sizes[first])
        parts[first, after] = same[first, after] / (sizes[after] * sizes[first])
    return into.astype(np.int64)


def filtered(square: FloatArray, label: IntArray, *, threshold: float) -> IntArray:
    """Remove from each group those that match too few of its members, themselves included."""
    inside = np.flatnonzero(label != NOBODY)
    if not len(inside):
        return label.copy()
    labels_left = label.copy()
    same = square[np.ix_(inside, inside)] <= threshold
    together = label[inside][:, None] == label[inside][None]
    count, members = (same & together).sum(axis=1), together.sum(axis=1)
    labels_left[inside[(count < SAME_SHARE * members - 1e-6) & (count < SAME_COUNT)]] = NOBODY
    return labels_left


def group(
    points: FloatArray,
    differences: Differences,
    clustering: Clustering,
    *,
    threshold: float,
    merge_share: float = MERGE_SHARE,
    on_progress: Callable[[], None] = lambda: None,
) -> IntArray:
    """Groups [N] of points [N, d]: clusters, merged; the rest matched to them; those who do not fit taken out.

    NOBODY: in no group. Memory grows with N squared: `difference_graph` is for more than SQUARE_MAX points.
    """
    if not len(points):
        return np.zeros(0, np.int64)
    square = square_of(points, differences)
    clusters = clusters_of(square, clustering, on_progress=on_progress)
    clusters = numbered(merged(square, clusters, threshold=threshold, share=merge_share))
    noise, inside = np.flatnonzero(clusters == NOBODY), np.flatnonzero(clusters != NOBODY)
    if len(inside):
        clusters[noise] = matched(square[np.ix_(noise, inside)], clusters[inside], threshold=threshold)
    return filtered(square, clusters, threshold=threshold)


def numbered(label: IntArray) -> IntArray:
    """Renumber groups as 0, 1, ... without gaps."""
    return np.asarray(np.unique(np.append(label, NOBODY), return_inverse=True)[1][:-1] - 1, np.int64)


def across_of(points: FloatArray, others: FloatArray, differences: Differences) -> FloatArray:
    """Compute differences [n, m] of points [n, d] to others [m, d], in blocks."""
    across = np.zeros((len(points), len(others)), np.float32)
    for row in range(0, len(points), BLOCK):
        for column in range(0, len(others), BLOCK):
            across[row : row + BLOCK, column : column + BLOCK] = differences(
                points[row : row + BLOCK], others[column : column + BLOCK]
            )
    return across


def nearest(across: FloatArray, owner: IntArray, people: int) -> FloatArray:
    """The smallest single difference [n, people] to anything that each person owns (`owner` [m]); infinite without."""
    smallest = np.full((len(across), people), np.inf, np.float32)
    for person in np.unique(owner):
        smallest[:, person] = across[:, owner == person].min(axis=1)
    return smallest


def likeness(smallest: FloatArray, *, threshold: float) -> FloatArray:
    """Compute the confidence, 0..1, for each face and character from the least differences [n, people].

    A face at the threshold is as likely a stranger; between two people the nearer one gets the larger part.
    """
    parts = np.where(np.isfinite(smallest), smallest / threshold, 1e3)
    shares = np.exp(-(parts - parts.min(axis=1, keepdims=True)) / BETWEEN_WIDTH)
    shares /= shares.sum(axis=1, keepdims=True)
    familiar = 1.0 / (1.0 + np.exp(np.clip((parts - 1.0) / STRANGER_WIDTH, -60, 60)))
    return np.asarray(shares * familiar, np.float32)


def merge_vectors(vectors: FloatArray) -> FloatArray:
    """One vector [d] for several [n, d] of one person: the mean of their directions, as long as they are on average."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions = vectors / np.maximum(lengths, 1e-12)
    return np.asarray(directions.mean(axis=0) * lengths.mean(), np.float32)
