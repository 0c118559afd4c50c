"""Groups faces that look like one person, so that a person names a whole group in one go. Purity goes before size.

Pure numpy, faiss and scikit-learn's parts; deterministic; memory grows with the faces, never with their square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt
from scipy.cluster.hierarchy import fcluster, linkage

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

NOISE = -1
DIMENSIONS = 96  # principal directions kept; naming accuracy is the same with 64
SAMPLE_MAX = 20_000  # faces that the directions are learned from
# Distances are Euclidean between projected descriptions; two drawings of one person in one light lie at 0.3 to 0.8.
LEADER_RADIUS = 0.55
MERGE_DISTANCE = 0.95
LEADERS_MAX = 6_000  # their distance matrix is the only square one: 144 MB
SIZE_MIN = 2


@dataclass(frozen=True, slots=True)
class Clusters:
    """`label` [N]: 0, 1, ... by falling size, or NOISE; `purity` [clusters]: 0..1, how surely it is one person."""

    label: IntArray
    purity: FloatArray
    size: IntArray


def cluster(
    features: FloatArray,
    *,
    apart: IntArray | None = None,
    merge_distance: float = MERGE_DISTANCE,
    size_min: int = SIZE_MIN,
) -> Clusters:
    """Cluster descriptions [N, D].

    Steps: project on the principal directions; gather tight groups round leaders; join groups by average linkage up to
    `merge_distance`. `apart` [N] numbers the pictures: two faces of one picture are two people, which lowers
    purity. Groups below `size_min` are NOISE. The result does not depend on anything but the rows and their order.
    """
    count = len(features)
    if count == 0:
        return Clusters(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.int64))
    points = project(features)
    radius = LEADER_RADIUS
    leader = _leaders(points, radius)
    while leader.max() + 1 > LEADERS_MAX:
        radius *= 1.15
        leader = _leaders(points, radius)
    centres = _means(points, leader)
    joined = _join(centres, merge_distance) if len(centres) > 1 else np.zeros(1, np.int64)
    label = joined[leader]
    return _numbered(points, label, apart=apart, size_min=size_min, merge_distance=merge_distance)


def project(features: FloatArray) -> FloatArray:
    """Principal coordinates [N, <= DIMENSIONS] of descriptions, learned from an even sample of the rows."""
    sample = features[np.linspace(0, len(features) - 1, min(len(features), SAMPLE_MAX)).round().astype(np.int64)]
    centre = sample.mean(axis=0)
    kept = _directions(sample - centre)
    out = np.empty((len(features), kept.shape[1]), np.float32)
    for start in range(0, len(features), 8192):
        out[start : start + 8192] = (features[start : start + 8192] - centre) @ kept
    return out


def _directions(centred: FloatArray) -> FloatArray:
    """Principal directions [D, <= DIMENSIONS] of centred rows; signs fixed, so that no library decides them."""
    count, size = centred.shape
    if count <= size:
        kept = np.linalg.svd(centred.astype(np.float64), full_matrices=False)[2][:DIMENSIONS].T
    else:
        covariance = centred.T.astype(np.float64) @ centred / count
        kept = np.linalg.eigh(covariance)[1][:, ::-1][:, :DIMENSIONS]
    largest = kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])]
    return np.asarray(kept * np.where(largest < 0, -1.0, 1.0), np.float32)


def _leaders(points: FloatArray, radius: float) -> IntArray:
    """Give each point the first leader within `radius`, walking in blocks; a point without one becomes a leader."""
    index = faiss.IndexFlatL2(points.shape[1])
    leader = np.empty(len(points), np.int64)
    for start in range(0, len(points), 1024):
        block = np.ascontiguousarray(points[start : start + 1024])
        own = np.full(len(block), NOISE, np.int64)
        if index.ntotal:
            squares, nearest = index.search(block, 1)
            own = np.where(squares[:, 0] <= radius * radius, nearest[:, 0], NOISE)
        fresh: list[int] = []
        for row in np.flatnonzero(own == NOISE):
            if fresh:
                squares = ((block[fresh] - block[row]) ** 2).sum(axis=1)
                best = int(squares.argmin())
                if squares[best] <= radius * radius:
                    own[row] = index.ntotal + best
                    continue
            own[row] = index.ntotal + len(fresh)
            fresh.append(int(row))
        if fresh:
            index.add(np.ascontiguousarray(block[fresh]))
        leader[start : start + 1024] = own
    return leader


def _means(points: FloatArray, label: IntArray) -> FloatArray:
    sums = np.zeros((int(label.max()) + 1, points.shape[1]), np.float64)
    np.add.at(sums, label, points)
    return np.asarray(sums / np.bincount(label)[:, None], np.float32)


def _join(centres: FloatArray, distance: float) -> IntArray:
    tree: npt.NDArray[Any] = linkage(centres.astype(np.float64), method="average")
    return np.asarray(fcluster(tree, t=distance, criterion="distance"), np.int64) - 1


def _numbered(
    points: FloatArray, label: IntArray, *, apart: IntArray | None, size_min: int, merge_distance: float
) -> Clusters:
    """Number clusters by falling size (then by first face), tell NOISE, and measure purity."""
    sizes = np.bincount(label)
    first = np.full(len(sizes), len(label))
    np.minimum.at(first, label, np.arange(len(label)))
    order = [old for old in np.lexsort((first, -sizes)) if sizes[old] >= size_min]
    new = np.full(len(sizes), NOISE, np.int64)
    new[order] = np.arange(len(order))
    renumbered = new[label]
    purity = np.zeros(len(order), np.float32)
    if order:
        inside = renumbered >= 0
        centres = _means(points[inside], renumbered[inside])
        spread = np.linalg.norm(points[inside] - centres[renumbered[inside]], axis=1)
        total = np.bincount(renumbered[inside], weights=spread) / np.bincount(renumbered[inside])
        purity = np.clip(1.0 - total / merge_distance, 0.0, 1.0).astype(np.float32)
        if apart is not None:
            purity *= 1.0 - _shared_pictures(renumbered, apart, clusters=len(order))
    return Clusters(renumbered, purity.astype(np.float32), sizes[order].astype(np.int64))


def _shared_pictures(label: IntArray, apart: IntArray, *, clusters: int) -> FloatArray:
    """Share of a cluster's faces that stand beside another face of the same cluster in one picture."""
    inside = label >= 0
    _, index, counts = np.unique(
        np.stack([label[inside], apart[inside]], axis=1), axis=0, return_inverse=True, return_counts=True
    )
    beside = (counts[index.ravel()] > 1).astype(np.float64)
    shares = np.bincount(label[inside], weights=beside, minlength=clusters) / np.bincount(
        label[inside], minlength=clusters
    )
    return shares.astype(np.float32)
