"""Groups and names faces by a learned difference (0 the same person, larger another) in place of a distance.

Ankerst et al.: OPTICS, 1999; Ester et al.: DBSCAN, 1996, both over the differences themselves; then the rules of
deepghs' CCIP and of the screenshot pipelines built on it. The square matrix holds at most SQUARE_MAX faces; all
others are matched to the groups, chunk after chunk.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import DBSCAN, OPTICS

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Differences = Callable[[FloatArray, FloatArray], FloatArray]  # [n, d], [m, d] -> [n, m]

NOBODY = -1
SQUARE_MAX = 4_000  # 64 MB of differences, some copies of them, and half a minute of OPTICS
BLOCK = 128  # rows of one call; a metric network may hold all pairs of them, dimension by dimension
SAME_SHARE, SAME_COUNT = 0.6, 20  # a face belongs where so large a share, or so many, are the same person
MERGE_SHARE = 0.85
# How fast a name gets unsure round the threshold, and between two people, in parts of the threshold.
STRANGER_WIDTH, BETWEEN_WIDTH = 0.125, 0.15


@dataclass(frozen=True, slots=True)
class Clustering:
    """How groups are found: `eps` is the largest difference between neighbours, for optics it may be infinite."""

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
    """All differences [N, N] of points [N, d], in blocks; symmetric, 0 on the diagonal."""
    count = len(points)
    found = np.zeros((count, count), np.float32)
    for row in range(0, count, BLOCK):
        for column in range(row, count, BLOCK):
            part = differences(points[row : row + BLOCK], points[column : column + BLOCK])
            found[row : row + BLOCK, column : column + BLOCK] = part
            found[column : column + BLOCK, row : row + BLOCK] = part.T
    np.fill_diagonal(found, 0)
    return np.maximum(found, 0)


def clusters_of(square: FloatArray, clustering: Clustering) -> IntArray:
    """Groups [N] 0, 1, ... of a matrix [N, N]; NOBODY for those that fit nowhere."""
    if len(square) < max(2, clustering.min_samples):
        return np.full(len(square), NOBODY, np.int64)
    if clustering.method == "dbscan":
        made = DBSCAN(eps=clustering.eps, min_samples=clustering.min_samples, metric="precomputed")
    elif clustering.method == "optics":
        made = OPTICS(max_eps=clustering.eps, min_samples=clustering.min_samples, metric="precomputed")
    else:
        raise ValueError(f"{clustering.method!r} is no way of clustering: optics or dbscan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # OPTICS divides by reachabilities of 0 and says when all are infinite
        return np.asarray(made.fit_predict(square), np.int64)


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
    fits = (same >= share * sizes[best] - 1e-6) | (same >= count)
    return np.where(fits, best, NOBODY).astype(np.int64)


def merged(square: FloatArray, label: IntArray, *, threshold: float, share: float = MERGE_SHARE) -> IntArray:
    """Joins the two groups of which the largest part of pairs is the same person, while that is at least `share`."""
    label = label.copy()
    same = (square <= threshold).astype(np.float32)
    while True:
        groups = np.unique(label[label != NOBODY])
        if len(groups) < 2:
            return label
        member = (label[:, None] == groups[None]).astype(np.float32)
        sizes = member.sum(axis=0)
        pairs = (member.T @ same @ member) / np.outer(sizes, sizes)
        pairs[np.tril_indices(len(groups))] = -1
        first, second = np.unravel_index(int(pairs.argmax()), pairs.shape)
        if pairs[first, second] < share:
            return label
        label[label == groups[second]] = groups[first]


def filtered(square: FloatArray, label: IntArray, *, threshold: float) -> IntArray:
    """Takes out of each group those who are not the same person as enough of its members, themselves counted."""
    inside = np.flatnonzero(label != NOBODY)
    if not len(inside):
        return label.copy()
    kept = label.copy()
    same = square[np.ix_(inside, inside)] <= threshold
    together = label[inside][:, None] == label[inside][None]
    count, members = (same & together).sum(axis=1), together.sum(axis=1)
    kept[inside[(count < SAME_SHARE * members - 1e-6) & (count < SAME_COUNT)]] = NOBODY
    return kept


def group(
    points: FloatArray,
    differences: Differences,
    clustering: Clustering,
    *,
    threshold: float,
    merge_share: float = MERGE_SHARE,
    square_max: int = SQUARE_MAX,
) -> IntArray:
    """Groups [N] of points [N, d]: clusters, merged; the rest matched to them; those who do not fit taken out.

    Of more than `square_max` points an even sample is clustered, the others are matched. NOBODY: in no group.
    """
    label = np.full(len(points), NOBODY, np.int64)
    if not len(points):
        return label
    places = np.unique(np.linspace(0, len(points) - 1, min(len(points), square_max)).round().astype(int))
    square = square_of(points[places], differences)
    own = merged(square, clusters_of(square, clustering), threshold=threshold, share=merge_share)
    noise, inside = np.flatnonzero(own == NOBODY), np.flatnonzero(own != NOBODY)
    if len(inside):
        own = np.unique(np.append(own, NOBODY), return_inverse=True)[1][:-1].astype(np.int64) - 1
        own[noise] = matched(square[np.ix_(noise, inside)], own[inside], threshold=threshold)
    own = filtered(square, own, threshold=threshold)
    label[places] = own
    inside = np.flatnonzero(own != NOBODY)
    rest = np.setdiff1d(np.arange(len(points)), places)
    for start in range(0, len(rest) if len(inside) else 0, BLOCK):
        rows = rest[start : start + BLOCK]
        across = across_of(points[rows], points[places[inside]], differences)
        label[rows] = matched(across, own[inside], threshold=threshold)
    return label


def across_of(points: FloatArray, others: FloatArray, differences: Differences) -> FloatArray:
    """Differences [n, m] of points [n, d] to others [m, d], in blocks."""
    found = np.zeros((len(points), len(others)), np.float32)
    for row in range(0, len(points), BLOCK):
        for column in range(0, len(others), BLOCK):
            found[row : row + BLOCK, column : column + BLOCK] = differences(
                points[row : row + BLOCK], others[column : column + BLOCK]
            )
    return found


def nearest(across: FloatArray, owner: IntArray, people: int) -> FloatArray:
    """The smallest single difference [n, people] to anything that each person owns (`owner` [m]); infinite without."""
    found = np.full((len(across), people), np.inf, np.float32)
    for person in np.unique(owner):
        found[:, person] = across[:, owner == person].min(axis=1)
    return found


def likeness(smallest: FloatArray, *, threshold: float) -> FloatArray:
    """How surely each face is each person, 0..1, from the smallest differences [n, people].

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
