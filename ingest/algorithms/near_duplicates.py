"""Groups near-equal frames, each group with its best copy, over any number of frames at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ingest.algorithms.descriptors import U8, as_vectors
from ingest.algorithms.near_index import F32, I64, NearIndex, Vectors, squared_radius_of

DEFAULT_THRESHOLD: Final = 0.97
"""Cosine, measured (docs/benchmarks.md): copies that are re-encoded, shifted by 8 pixels, subtitled or dimmed are above
it, as are mouths, blinks and small gestures in one framing; other shots are below, mostly below 0.9."""

_BLOCK: Final = 8_192  # rows that are compared with earlier ones at once
_INNER: Final = 2_048  # rows that are compared with each other at once


@dataclass(frozen=True, slots=True)
class Groups:
    """Per row the kept copy that represents it (itself if kept): int64[N], and the distance (1 - cosine) to it:
    float32[N]."""

    representative: I64
    distance: F32

    @property
    def is_representative(self) -> NDArray[np.bool_]:
        return np.asarray(self.representative == np.arange(len(self.representative)))


def ranked(quality: F32, pinned: NDArray[np.bool_] | None = None) -> I64:
    """Row numbers int64[N], best first: pinned rows, then by decreasing quality, then by row number."""
    first = np.zeros(len(quality), dtype=bool) if pinned is None else pinned
    return np.lexsort((np.arange(len(quality)), -quality.astype(np.float64), ~first)).astype(np.int64)


def find_groups(
    descriptors: U8,
    quality: F32,
    threshold: float = DEFAULT_THRESHOLD,
    *,
    pinned: NDArray[np.bool_] | None = None,
) -> Groups:
    """Visit the rows from best to worst; a row is dropped if a kept one is at least as similar as `threshold`.

    `descriptors` is uint8[N, D], `quality` float32[N] (higher is better), `threshold` a cosine in (0, 1]. A dropped row
    belongs to the most similar better row that is kept (of equally similar ones, to the better) and is within the
    threshold of it; there are no chains. Kept rows are pairwise less similar than the threshold, except `pinned` ones
    (bool[N]), which are always kept and come first. The result is exact: it depends neither on the order of rows
    (except among those of equal quality) nor on blocks. Memory: about 3 bytes per byte of input. Raises ValueError.
    """
    count = len(descriptors)
    _check(descriptors, quality, threshold, pinned)
    representative = np.arange(count, dtype=np.int64)
    distance = np.zeros(count, dtype=np.float32)
    if count == 0:
        return Groups(representative, distance)
    order = ranked(quality, pinned)
    search = _Search(Vectors.of(descriptors), order, np.float32(threshold), pinned)
    with threadpool_limits(1):  # for many small products, synchronising threads costs more than they save
        search.fit()
        for start in range(0, count, _BLOCK):
            search.block(start, min(start + _BLOCK, count))
    dropped = search.best_rank >= 0
    representative[order[dropped]] = order[search.best_rank[dropped]]
    distance[order[dropped]] = np.clip(1.0 - search.best[dropped], 0.0, None)
    return Groups(representative, distance)


def nearest_of(descriptors: U8, others: U8, threshold: float = DEFAULT_THRESHOLD) -> tuple[I64, F32]:
    """For each row uint8[N, D] the most similar of `kept` uint8[K, D] within the threshold.

    Returns int64[N] (-1: none, a new picture) and the distances float32[N] (infinite for none).
    """
    nearest = np.full(len(descriptors), -1, dtype=np.int64)
    best = np.full(len(descriptors), -np.inf, dtype=np.float32)
    for rows, ids, similarity in _pairs(descriptors, others, threshold):
        _keep_most_similar(nearest, best, rows, ids, similarity)
    return nearest, np.where(nearest >= 0, np.clip(1.0 - best, 0.0, None), np.inf).astype(np.float32)


def similar_pairs(descriptors: U8, others: U8, threshold: float = DEFAULT_THRESHOLD) -> tuple[I64, I64, F32]:
    """All pairs (row of uint8[N, D], row of uint8[M, D]) at least as similar as `threshold`, with their cosines."""
    parts = list(_pairs(descriptors, others, threshold))
    if not parts:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
    rows, ids, similarity = (np.concatenate([part[column] for part in parts]) for column in range(3))
    order = np.lexsort((ids, rows))
    return rows[order], ids[order], similarity[order]


def _pairs(descriptors: U8, others: U8, threshold: float) -> Iterator[tuple[I64, I64, F32]]:
    vectors = Vectors.of(np.concatenate([others, descriptors]))
    if not len(others) or not len(descriptors):
        return
    with threadpool_limits(1):
        index = NearIndex.fit(vectors)
        for start in range(0, len(others), _BLOCK):
            ids = np.arange(start, min(start + _BLOCK, len(others)))
            index.add(ids, index.projection.apply(vectors.unit(ids)))
        for start in range(0, len(descriptors), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(descriptors)))
            points = index.projection.apply(vectors.unit(rows + len(others)))
            for places, ids in index.candidates(points, squared_radius_of(threshold)):
                similarity = vectors.similarity(ids, rows[places] + len(others))
                is_similar = similarity >= np.float32(threshold)
                yield rows[places][is_similar], ids[is_similar], similarity[is_similar]


@dataclass(slots=True, init=False)
class _Search:
    """The state of one pass from best to worst. All positions are ranks: 0 is the best row."""

    vectors: Vectors
    order: I64
    threshold: np.float32
    pinned: int
    index: NearIndex
    best: F32
    best_rank: I64

    def __init__(self, vectors: Vectors, order: I64, threshold: np.float32, pinned: NDArray[np.bool_] | None) -> None:
        self.vectors, self.order, self.threshold = vectors, order, threshold
        self.pinned = 0 if pinned is None else int(pinned.sum())
        self.best = np.full(len(order), -np.inf, dtype=np.float32)
        self.best_rank = np.full(len(order), -1, dtype=np.int64)

    def fit(self) -> None:
        self.index = NearIndex.fit(self.vectors)

    def block(self, start: int, end: int) -> None:
        """Decide ranks start..end: against all rows kept before, then among themselves."""
        ranks = np.arange(start, end)
        points = self.index.projection.apply(self.vectors.unit(self.order[ranks]))
        free = ranks >= self.pinned
        for places, candidates in self.index.candidates(points[free], squared_radius_of(float(self.threshold))):
            self._verify(ranks[free][places], candidates)
        added: list[I64] = []
        for inner in range(start, end, _INNER):
            inner_ranks = np.arange(inner, min(inner + _INNER, end))
            kept_before = np.concatenate(added) if added else np.empty(0, dtype=np.int64)
            added.append(self._decide(inner_ranks, kept_before))
        new = np.concatenate(added)
        self.index.add(new, points[new - start])

    def _verify(self, ranks: I64, candidates: I64) -> None:
        similarity = self.vectors.similarity(self.order[candidates], self.order[ranks])
        is_similar = similarity >= self.threshold
        _keep_most_similar(self.best_rank, self.best, ranks[is_similar], candidates[is_similar], similarity[is_similar])

    def _decide(self, ranks: I64, kept_before: I64) -> I64:
        """Compare ranks with those kept earlier in this block and with each other; return the newly kept ones."""
        self._compare(ranks, kept_before)
        undecided = ranks[self.best_rank[ranks] < 0]
        is_similar = self._similarity(undecided, undecided) >= self.threshold
        is_kept = np.ones(len(undecided), dtype=bool)
        for place in np.flatnonzero(is_similar.sum(axis=1) > 1):
            if is_kept[place]:
                later = max(place + 1, int(np.searchsorted(undecided, self.pinned)))
                is_kept[later:] &= ~is_similar[place, later:]
        self._compare(ranks, undecided[is_kept])
        return undecided[is_kept]

    def _compare(self, ranks: I64, kept_ranks: I64) -> None:
        """Give each rank that is free to go its most similar of the better ones in `kept` (rising ranks)."""
        ranks = ranks[ranks >= self.pinned]
        if not len(kept_ranks) or not len(ranks):
            return
        similarity = self._similarity(ranks, kept_ranks)
        similarity[kept_ranks[None, :] >= ranks[:, None]] = -np.inf
        place = similarity.argmax(axis=1)
        value = similarity[np.arange(len(ranks)), place]
        better = (value >= self.threshold) & (value > self.best[ranks])
        self.best[ranks[better]], self.best_rank[ranks[better]] = value[better], kept_ranks[place[better]]

    def _similarity(self, ranks: I64, others: I64) -> F32:
        """All cosines float32[len(ranks), len(others)], equal to those of `Vectors.similarity`."""
        a, b = self.order[ranks], self.order[others]
        dot = as_vectors(self.vectors.rows[a]) @ as_vectors(self.vectors.rows[b]).T
        dot *= self.vectors.inverse[a][:, None] * self.vectors.inverse[b][None, :]
        return np.asarray(dot, dtype=np.float32)


def _keep_most_similar(nearest: I64, best: F32, rows: I64, ids: I64, similarity: F32) -> None:
    """Update `nearest` and `best` in place with the most similar id of each row, the lowest of equal ones."""
    if not len(rows):
        return
    order = np.lexsort((ids, -similarity, rows))
    first = np.ones(len(order), dtype=bool)
    first[1:] = np.diff(rows[order]) != 0
    row, new, value = rows[order][first], ids[order][first], similarity[order][first]
    better = (value > best[row]) | ((value == best[row]) & (new < nearest[row]))
    nearest[row[better]], best[row[better]] = new[better], value[better]


def _check(descriptors: U8, quality: F32, threshold: float, pinned: NDArray[np.bool_] | None) -> None:
    if descriptors.ndim != 2 or descriptors.dtype != np.uint8:
        raise ValueError(f"descriptors must be uint8[N, D], not {descriptors.dtype}{list(descriptors.shape)}")
    if len(quality) != len(descriptors) or (pinned is not None and len(pinned) != len(descriptors)):
        raise ValueError("quality and pinned need one value per descriptor")
    if not 0.0 < threshold <= 1.0:
        raise ValueError(f"the threshold must be above 0 and at most 1, not {threshold}")
    if not np.isfinite(quality).all():
        raise ValueError("quality must be finite numbers")
