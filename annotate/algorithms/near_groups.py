"""Grouping rules for incomplete pairs: a sample of each group's members stands for all of them."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from annotate.algorithms.difference_clustering import NOBODY, SAME_COUNT, SAME_SHARE, SHARE_ROUNDING, numbered
from annotate.algorithms.near_vectors import By, Vectors, nearest

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Among = Callable[[FloatArray], FloatArray]  # [n, d] -> all differences [n, n]

LISTED = 256  # rows that go through the network at once: it may hold all their pairs, dimension by dimension
SAMPLE = 40  # members that stand for a group
GROUPS_NEAR = 8  # groups that a group, or a point in no group, is compared with for their middles' sake


@dataclass(frozen=True, slots=True)
class Scores:
    """For pairs of a point and a group: mean difference to the group's sample, and how many of it are the same."""

    mean: FloatArray
    same: IntArray
    of: IntArray  # size of the sample


def square_among(points: Vectors, among: Among) -> FloatArray:
    """Compute all differences [N, N] of points [N, d], in blocks."""
    count, half = len(points), LISTED // 2
    square = np.zeros((count, count), np.float32)
    for row in range(0, count, half):
        above = points[row : row + half].astype(np.float32)
        for column in range(row, count, half):
            other_points = points[column : column + half].astype(np.float32)
            both = among(np.concatenate([above, other_points]))
            square[row : row + half, column : column + half] = both[: len(above), len(above) :]
            square[column : column + half, row : row + half] = both[len(above) :, : len(above)]
    return square


def samples_of(label: IntArray) -> list[IntArray]:
    """Return at most SAMPLE members of each group 0, 1, ..., evenly spaced."""
    order = np.argsort(label, kind="stable")
    order = order[label[order] != NOBODY]
    parts = np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else []
    return [part[np.linspace(0, len(part) - 1, min(len(part), SAMPLE)).round().astype(int)] for part in parts]


def scores(
    queries: Vectors, rows: IntArray, groups: IntArray, members: Sequence[Vectors], among: Among, *, threshold: float
) -> Scores:
    """Compare point `rows[i]` of `asked` with the members of group `groups[i]`, for each i; group after group."""
    mean, same = np.zeros(len(rows), np.float32), np.zeros(len(rows), np.int64)
    of = np.array([len(members[group]) for group in groups], np.int64)
    order = np.argsort(groups, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1) if len(order) else ():
        sample = members[int(groups[part[0]])].astype(np.float32)
        for start in range(0, len(part), LISTED - len(sample)):
            part_rows = part[start : start + LISTED - len(sample)]
            differences = among(np.concatenate([queries[rows[part_rows]].astype(np.float32), sample]))[
                : len(part_rows), len(part_rows) :
            ]
            mean[part_rows], same[part_rows] = (
                np.maximum(differences, 0).mean(axis=1),
                (differences <= threshold).sum(axis=1),
            )
    return Scores(mean, same, of)


def best_of(rows: IntArray, groups: IntArray, group_scores: Scores) -> tuple[IntArray, IntArray]:
    """The places (in `rows`) of each row's smallest mean, the lower group of equal ones, and those rows."""
    order = np.lexsort((groups, group_scores.mean, rows))
    first = order[np.unique(rows[order], return_index=True)[1]]
    return first, rows[first]


def merged(
    points: Vectors,
    graph: csr_array,
    label: IntArray,
    among: Among,
    *,
    by: By,
    threshold: float,
    share: float,
    on_progress: Callable[[], None],
) -> IntArray:
    """Joins groups as `difference_clustering.merged` does, in rounds: after each, what was joined is looked at anew.

    In a round, groups that do not lie near each other count as different.
    """
    while True:
        joined = _joined_once(
            points, graph, label, among, by=by, threshold=threshold, share=share, on_progress=on_progress
        )
        if joined is None:
            return label
        label = joined


def _joined_once(
    points: Vectors,
    graph: csr_array,
    label: IntArray,
    among: Among,
    *,
    by: By,
    threshold: float,
    share: float,
    on_progress: Callable[[], None],
) -> IntArray | None:
    """The groups 0, 1, ... after one round; None where it joins nothing."""
    samples = samples_of(label)
    if len(samples) < 2:
        return None
    sizes = np.bincount(label[label != NOBODY]).astype(np.float64)
    neighbours: list[set[int]] = [set() for _ in samples]
    for first, second in _neighbouring_groups(
        points, graph, label, samples, by=by, threshold=threshold, on_progress=on_progress
    ):
        neighbours[first].add(second)
    same: list[dict[int, float]] = [{} for _ in samples]
    for first, others in enumerate(neighbours):
        for second, part in _shares(points, first, sorted(others), samples, among, threshold=threshold):
            same[first][second] = same[second][first] = part * sizes[first] * sizes[second]
    into = _joined(same, sizes, share=share)
    if (into == np.arange(len(into))).all():
        return None
    joined = label.copy()
    joined[label != NOBODY] = into[label[label != NOBODY]]
    return numbered(joined)


def _neighbouring_groups(
    points: Vectors,
    graph: csr_array,
    label: IntArray,
    samples: list[IntArray],
    *,
    by: By,
    threshold: float,
    on_progress: Callable[[], None],
) -> set[tuple[int, int]]:
    """Pairs of groups, the lower first, whose middles lie near, or of whom two members are the same person."""
    middles = middles_of([points[sample] for sample in samples])
    nearest_groups = nearest(middles, middles, GROUPS_NEAR + 1, by=by, on_progress=on_progress)
    pairs = {(min(a, b), max(a, b)) for a, row in enumerate(nearest_groups.tolist()) for b in row if a != b}
    rows = np.repeat(np.arange(len(label)), np.diff(graph.indptr))
    first, second = label[rows], label[graph.indices]
    same = (graph.data <= threshold) & (first < second) & (first != NOBODY)
    return pairs | set(map(tuple, np.unique(np.stack([first[same], second[same]], axis=1), axis=0).tolist()))


def middles_of(members: Sequence[Vectors]) -> npt.NDArray[np.float16]:
    """Compute the mean vector [G, d] of each group's members."""
    return np.stack([of.astype(np.float32).mean(axis=0).astype(np.float16) for of in members])


def _shares(
    points: Vectors, first: int, others: list[int], samples: list[IntArray], among: Among, *, threshold: float
) -> Iterator[tuple[int, float]]:
    """For each of the `others` the part of pairs with group `first` that are the same person, where there is any."""
    first_sample = samples[first]
    while others:
        taken, listed = 0, len(first_sample)
        while taken < len(others) and listed + len(samples[others[taken]]) <= LISTED:
            listed += len(samples[others[taken]])
            taken += 1
        rows = np.concatenate([first_sample, *(samples[other] for other in others[:taken])])
        alike = among(points[rows].astype(np.float32))[: len(first_sample)] <= threshold
        first_count = len(first_sample)
        for other in others[:taken]:
            part = float(alike[:, first_count : first_count + len(samples[other])].mean(dtype=np.float64))
            first_count += len(samples[other])
            if part > 0:
                yield other, part
        others = others[taken:]


def _joined(same: list[dict[int, float]], sizes: npt.NDArray[np.float64], *, share: float) -> IntArray:
    """The group that each group ends in: the pair with the largest share first, numbers of same pairs add up."""
    into = np.arange(len(sizes))
    waiting = [
        (-count / (sizes[a] * sizes[b]), a, b) for a, row in enumerate(same) for b, count in row.items() if a < b
    ]
    heapq.heapify(waiting)
    while waiting:
        part, first, second = heapq.heappop(waiting)
        if -part < share - SHARE_ROUNDING:
            break
        if into[first] != first or into[second] != second:
            continue
        if part != -same[first].get(second, 0.0) / (sizes[first] * sizes[second]):
            continue  # one of them has grown since
        into[into == second] = first
        sizes[first] += sizes[second]
        for other, count in same[second].items():
            same[other].pop(second, None)
            if other != first:
                same[first][other] = same[other][first] = same[first].get(other, 0.0) + count
        same[second] = {}
        for other, count in same[first].items():
            low, high = min(first, other), max(first, other)
            heapq.heappush(waiting, (-count / (sizes[low] * sizes[high]), low, high))
    return into.astype(np.int64)


def matched(
    points: Vectors,
    graph: csr_array,
    label: IntArray,
    rows: IntArray,
    among: Among,
    *,
    by: By,
    threshold: float,
    on_progress: Callable[[], None],
) -> IntArray:
    """The group [n] that each of the points `rows` [n] joins, or NOBODY; as `difference_clustering.matched`.

    Compared with are the groups of a point's neighbours and those whose middles lie nearest.
    """
    matches = np.full(len(rows), NOBODY, np.int64)
    members = [points[sample] for sample in samples_of(label)]
    if not len(rows) or not members:
        return matches
    sizes = np.bincount(label[label != NOBODY])
    close = nearest(points[rows], middles_of(members), GROUPS_NEAR, by=by, on_progress=on_progress)
    pairs = np.stack([np.repeat(np.arange(len(rows)), close.shape[1]), close.ravel()], axis=1)
    part = graph[rows]
    part_rows, group = np.repeat(np.arange(len(rows)), np.diff(part.indptr)), label[part.indices]
    known = group != NOBODY
    pairs = np.unique(np.concatenate([pairs, np.stack([part_rows[known], group[known]], axis=1)]), axis=0)
    compared = scores(points, rows[pairs[:, 0]], pairs[:, 1], members, among, threshold=threshold)
    first, of = best_of(pairs[:, 0], pairs[:, 1], compared)
    best = pairs[first, 1]
    same = known & (part.data <= threshold)
    best_group = np.full(len(rows), NOBODY, np.int64)
    best_group[of] = best
    same_neighbours = np.bincount(part_rows[same & (group == best_group[part_rows])], minlength=len(rows))
    is_match = compared.same[first] >= SAME_SHARE * compared.of[first] - 1e-6
    is_match |= (compared.same[first] >= SAME_COUNT) & (sizes[best] <= SAMPLE)  # the sample is all of it
    is_match |= same_neighbours[of] >= SAME_COUNT
    matches[of] = np.where(is_match, best, NOBODY)
    return matches


def filtered(points: Vectors, graph: csr_array, label: IntArray, among: Among, *, threshold: float) -> IntArray:
    """Takes out of each group those who are not the same person as enough of it; as the rule over all pairs."""
    inside = np.flatnonzero(label != NOBODY)
    if not len(inside):
        return label.copy()
    sizes = np.bincount(label[inside])
    rows = np.repeat(np.arange(len(label)), np.diff(graph.indptr))
    together = (label[rows] == label[graph.indices]) & (label[rows] != NOBODY) & (graph.data <= threshold)
    count = np.bincount(rows[together], minlength=len(label)) + 1  # itself
    open_rows = inside[(count[inside] < SAME_COUNT) & (count[inside] < SAME_SHARE * sizes[label[inside]] - 1e-6)]
    if not len(open_rows):
        return label.copy()
    members = [points[sample] for sample in samples_of(label)]
    group_scores = scores(points, open_rows, label[open_rows], members, among, threshold=threshold)
    is_member = group_scores.same >= SAME_SHARE * group_scores.of - 1e-6
    is_member |= (group_scores.same >= SAME_COUNT) & (sizes[label[open_rows]] <= SAMPLE)
    labels_left = label.copy()
    labels_left[open_rows[~is_member]] = NOBODY
    return labels_left
