"""Clustering of very many points by a learned difference, computed only for pairs of nearby vectors.

The rules are those of `difference_clustering`, over a sparse matrix: a pair is in it when one of the two is among the
other's NEIGHBOURS nearest vectors. Where the rules speak of a whole group, SAMPLE of its members stand for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from annotate.algorithms import near_groups
from annotate.algorithms.difference_clustering import MERGE_SHARE, NOBODY, Clustering, clusters_of, numbered
from annotate.algorithms.near_groups import LISTED, Among
from annotate.algorithms.near_vectors import By, Vectors, nearest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

BLOCK = 2048  # points whose neighbours are found, compared and kept at once
BRIDGES = 16  # pairs with other groups, for each member of a group's sample
NEIGHBOURS = 48  # more than the 20 that make a face belong to a group whatever its size
LOOKED_AT, NEAREST = 512, 5  # points by which "near" is chosen, and how many of each one's nearest count
PROVED, SAME = 32, 20  # points whose differences to all others are asked, and how many of the nearest count


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Neighbours int32 [n, k] of consecutive points, nearest vectors first, and how different they are [n, k]."""

    rows: npt.NDArray[np.int32]
    differences: FloatArray


@dataclass(frozen=True, slots=True)
class Proof:
    """Of the `wanted` nearest by difference among all points, `found` were among the neighbours."""

    hits: int
    true_neighbours: int


def measure_of(points: Vectors, among: Among) -> By:
    """Which measure of vectors brings up more of those that the network calls nearest, on an even sample."""
    places = np.unique(np.linspace(0, len(points) - 1, min(len(points), LOOKED_AT)).round().astype(int))
    sample = points[places]
    rank = min(NEAREST, len(sample) - 1)
    differences = near_groups.square_among(sample, among)
    np.fill_diagonal(differences, np.inf)
    limit = np.partition(differences, rank - 1, axis=1)[:, rank - 1] + 1e-6
    hits = {}
    for by in By:
        neighbours = nearest(sample, sample, rank + 1, by=by)
        hits[by] = int((np.take_along_axis(differences, neighbours, 1) <= limit[:, None]).sum())
    return max(By, key=lambda by: (hits[by], by is By.ANGLE))


def neighbours_of(
    points: Vectors, rows: slice, among: Among, *, by: By, on_progress: Callable[[], None] = lambda: None
) -> Neighbours:
    """Neighbours of points [N, d] in `rows`, N > 1, and their differences."""
    block_rows = np.arange(rows.start, min(rows.stop, len(points)))
    candidates = nearest(points[rows], points, min(NEIGHBOURS, len(points) - 1) + 1, by=by, on_progress=on_progress)
    # Itself is left out; where as many copies lie nearer, the last one is.
    itself = candidates == block_rows[:, None]
    itself[~itself.any(axis=1), -1] = True
    neighbours = candidates[~itself].reshape(len(block_rows), -1)
    return Neighbours(neighbours.astype(np.int32), _compared(points, block_rows, neighbours, among))


def _compared(points: Vectors, queries: IntArray, neighbours: IntArray, among: Among) -> FloatArray:
    """Differences [n, k] of `queries` [n] to `neighbours` [n, k]. The network compares lists with themselves:
    points that share neighbours go through it together, at most LISTED in a list."""
    differences = np.zeros(neighbours.shape, np.float32)
    lists = neighbours.tolist()
    place = {int(row): index for index, row in enumerate(queries)}
    waiting = [True] * len(queries)
    for first in range(len(queries)):
        if not waiting[first]:
            continue
        listed, together = {int(queries[first]), *lists[first]}, [first]
        waiting[first] = False
        for other in lists[first]:
            index = place.get(other)
            if index is None or not waiting[index]:
                continue
            more = listed.union(lists[index])
            if len(more) <= LISTED:
                listed, waiting[index] = more, False
                together.append(index)
        rows = np.array(sorted(listed))
        answer = among(points[rows].astype(np.float32))
        differences[together] = answer[
            np.searchsorted(rows, queries[together])[:, None], np.searchsorted(rows, neighbours[together])
        ]
    return np.maximum(differences, 0)


def graph_of(blocks: Sequence[Neighbours]) -> csr_array:
    """The symmetric sparse matrix [N, N] of all blocks in order; where both asked, the lower point's answer counts."""
    neighbour_rows = np.concatenate([block.rows for block in blocks])
    differences = np.concatenate([block.differences for block in blocks]).ravel()
    count, neighbours = neighbour_rows.shape
    rows, other = np.repeat(np.arange(count, dtype=np.int64), neighbours), neighbour_rows.ravel().astype(np.int64)
    return _mirrored(rows, other, differences, count)


def bridged(
    points: Vectors,
    graph: csr_array,
    label: IntArray,
    among: Among,
    *,
    by: By,
    on_progress: Callable[[], None] = lambda: None,
) -> csr_array:
    """The graph with pairs between groups: all neighbours of a point may be copies of itself, and the next copies of
    the same person a group of their own. Members of each group are compared with their nearest in other groups."""
    samples = near_groups.samples_of(label)
    if len(samples) < 2:
        return graph
    rows, groups = np.concatenate(samples), np.repeat(np.arange(len(samples)), [len(sample) for sample in samples])
    chosen = points[rows]
    count = min(near_groups.SAMPLE + BRIDGES, len(rows))
    owns, others, differences = [], [], []
    for start in range(0, len(rows), BLOCK):
        block_rows = np.arange(start, min(start + BLOCK, len(rows)))
        neighbour_rows = nearest(chosen[block_rows], chosen, count, by=by, on_progress=on_progress)
        block_differences = _compared(chosen, block_rows, neighbour_rows, among)
        across = groups[neighbour_rows] != groups[block_rows][:, None]
        owns.append(np.broadcast_to(block_rows[:, None], neighbour_rows.shape)[across])
        others.append(neighbour_rows[across])
        differences.append(block_differences[across])
    return _with(graph, rows[np.concatenate(owns)], rows[np.concatenate(others)], np.concatenate(differences))


def _with(graph: csr_array, rows: IntArray, other: IntArray, differences: FloatArray) -> csr_array:
    """The graph with more pairs; those that it has keep their answer."""
    known = graph.tocoo()
    first = np.concatenate([known.row.astype(np.int64), rows])
    second = np.concatenate([known.col.astype(np.int64), other])
    return _mirrored(first, second, np.concatenate([known.data, differences]), graph.shape[0])


def _mirrored(rows: IntArray, other: IntArray, differences: FloatArray, count: int) -> csr_array:
    """The symmetric matrix [count, count] of pairs; of several answers for a pair, asked either way, the first."""
    _, once = np.unique(np.minimum(rows, other) * count + np.maximum(rows, other), return_index=True)
    rows, other, differences = rows[once].astype(np.int32), other[once].astype(np.int32), differences[once]
    from scipy.sparse import csr_array  # a quarter of a second, which no page waits for

    graph = csr_array(
        (np.tile(differences, 2), (np.concatenate([rows, other]), np.concatenate([other, rows]))), shape=(count, count)
    )
    graph.sort_indices()
    return graph


def proof_of(points: Vectors, blocks: Sequence[Neighbours], among: Among, *, threshold: float) -> Proof:
    """How many of the nearest by difference are among the neighbours, for an even sample of the points.

    Counted are at most SAME a point, of those that are the same person (differences up to `threshold`).
    """
    neighbour_rows = np.concatenate([block.rows for block in blocks])
    places = np.unique(np.linspace(0, len(points) - 1, min(len(points), PROVED)).round().astype(int))
    differences = np.zeros((len(places), len(points)), np.float32)
    sample = points[places].astype(np.float32)
    for start in range(0, len(points), LISTED - PROVED):
        part = points[start : start + LISTED - PROVED].astype(np.float32)
        differences[:, start : start + len(part)] = among(np.concatenate([sample, part]))[: len(places), len(places) :]
    hits = true_count = 0
    for row, place in zip(differences, places):
        row[place] = np.inf
        same = min(SAME, int((row <= threshold).sum()))
        if same:
            limit = np.partition(row, same - 1)[same - 1] + 1e-6
            hits += min(same, int((row[neighbour_rows[place]] <= limit).sum()))
            true_count += same
    return Proof(hits, true_count)


def group(
    points: Vectors,
    graph: csr_array,
    among: Among,
    clustering: Clustering,
    *,
    by: By,
    threshold: float,
    merge_share: float = MERGE_SHARE,
    on_progress: Callable[[], None] = lambda: None,
) -> IntArray:
    """Groups [N] of points [N, d] whose pairs are in `graph`; as `difference_clustering.group`, NOBODY for no group."""
    label = numbered(clusters_of(graph, clustering, on_progress=on_progress))
    graph = bridged(points, graph, label, among, by=by, on_progress=on_progress)
    label = numbered(clusters_of(graph, clustering, on_progress=on_progress))
    label = near_groups.merged(
        points, graph, label, among, by=by, threshold=threshold, share=merge_share, on_progress=on_progress
    )
    if not (label != NOBODY).any():
        return label
    noise = np.flatnonzero(label == NOBODY)
    joined = near_groups.matched(
        points, graph, label, noise, among, by=by, threshold=threshold, on_progress=on_progress
    )
    label[noise] = joined
    return near_groups.filtered(points, graph, label, among, threshold=threshold)
