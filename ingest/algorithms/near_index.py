"""Finds all descriptors within a radius exactly, without comparing all pairs.

Three lower bounds exclude pairs without losing any. A projection never increases a distance, so a pair that is too far
apart in few dimensions is too far apart in all. By the triangle inequality, a cell whose centre is further away than
both radii together contains no match. And the rows of a cell are on its side of the plane halfway between its centre
and any other, so a cell is skipped if that plane is further away than the radius ("generalized hyperplane pruning",
Uhlmann 1991). The remaining pairs are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import faiss
import numpy as np
from numpy.typing import NDArray

from ingest.algorithms.descriptors import U8, as_vectors

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

_SAMPLE: Final = 20_000  # rows from which axes and cells are computed
_DIMENSIONS: Final = 47  # of the projection; with the length of the rest 48
_SLACK: Final = 1e-4
"""Added to squared radii for rounding errors of float32; additional candidates are compared in full anyway."""
_CELLS_FROM: Final = 8_000
"""Rows below which a single cell, that is a full comparison, is faster."""
_QUERIES_PER_CHUNK: Final = 512
_PAIRS_PER_CHUNK: Final = 1_000_000
"""Size of the reused buffer for products: allocating memory costs more than the arithmetic."""


@dataclass(frozen=True, slots=True)
class Vectors:
    """Descriptors uint8[N, D] and the inverse of their lengths float32[N]; cosines do not depend on block sizes."""

    rows: U8
    inverse: F32

    @staticmethod
    def of(descriptors: U8) -> Vectors:
        inverse = np.empty(len(descriptors), dtype=np.float32)
        for start in range(0, len(descriptors), 65_536):
            part = as_vectors(descriptors[start : start + 65_536])
            length = np.sqrt(np.einsum("nd,nd->n", part, part).astype(np.float64))
            inverse[start : start + 65_536] = 1.0 / np.maximum(length, 1.0)
        return Vectors(descriptors, inverse)

    def similarity(self, left: I64, right: I64) -> F32:
        """The cosine of each pair of rows: float32[P] for int64[P] and int64[P]. Dot products are exact."""
        cosines = np.empty(len(left), dtype=np.float32)
        for start in range(0, len(left), 50_000):
            a, b = left[start : start + 50_000], right[start : start + 50_000]
            dot = np.einsum("nd,nd->n", as_vectors(self.rows[a]), as_vectors(self.rows[b]))
            cosines[start : start + 50_000] = dot * (self.inverse[a] * self.inverse[b])
        return cosines

    def unit(self, rows: I64 | slice) -> F32:
        """Rows scaled to length one: float32[n, D]."""
        return np.asarray(as_vectors(self.rows[rows]) * self.inverse[rows][:, None], dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Projection:
    """Projects rows on principal axes and the length of the rest; projected distances never exceed the true ones."""

    mean: F32
    axes: F32

    @staticmethod
    def fit(sample: F32) -> Projection:
        mean = sample.mean(axis=0)
        centred = (sample - mean).astype(np.float64)
        _, axes = np.linalg.eigh(centred.T @ centred)
        return Projection(mean, np.ascontiguousarray(axes[:, ::-1][:, :_DIMENSIONS], dtype=np.float32))

    def apply(self, unit: F32) -> F32:
        centred = unit - self.mean
        inside = centred @ self.axes
        left = np.einsum("nd,nd->n", centred, centred) - np.einsum("nd,nd->n", inside, inside)
        return np.hstack([inside, np.sqrt(np.maximum(left, 0.0))[:, None]])


def _as_queries(points: F32) -> F32:
    """Rows whose product with rows of `_as_members` is minus half the squared distance."""
    half = -0.5 * np.einsum("nd,nd->n", points, points)
    return np.hstack([points, half[:, None], np.ones((len(points), 1), dtype=np.float32)])


def _as_members(points: F32) -> F32:
    half = -0.5 * np.einsum("nd,nd->n", points, points)
    return np.hstack([points, np.ones((len(points), 1), dtype=np.float32), half[:, None]])


@dataclass(slots=True)
class _Cell:
    ids: I64
    members: F32
    radius: float

    def parts(self) -> Iterator[tuple[I64, F32]]:
        for start in range(0, len(self.ids), _PAIRS_PER_CHUNK):
            yield self.ids[start : start + _PAIRS_PER_CHUNK], self.members[start : start + _PAIRS_PER_CHUNK]


@dataclass(slots=True)
class NearIndex:
    """A growing set of rows that is searched by radius in projected space; `candidates` misses no match."""

    projection: Projection
    centres: F32
    between: F32
    """Distances between the centres, float32[cells, cells]."""
    cells: dict[int, _Cell] = field(default_factory=dict)

    @staticmethod
    def of(projection: Projection, centres: F32) -> NearIndex:
        half = _as_queries(centres) @ _as_members(centres).T
        return NearIndex(projection, centres, np.sqrt(np.maximum(-2.0 * half, 0.0)))

    @staticmethod
    def fit(vectors: Vectors) -> NearIndex:
        """An empty index with axes and cell centres from an even sample of the rows."""
        count = len(vectors.rows)
        sample = vectors.unit(np.unique(np.linspace(0, count - 1, min(count, _SAMPLE)).astype(np.int64)))
        projection = Projection.fit(sample)
        points = projection.apply(sample)
        if count < _CELLS_FROM:
            return NearIndex.of(projection, points.mean(axis=0, keepdims=True))
        cell_count = int(np.clip(2 * np.sqrt(count), 64, min(2048, len(sample) // 8)))
        clusters = faiss.Kmeans(points.shape[1], cell_count, niter=6, seed=1, min_points_per_centroid=1)
        clusters.train(points)
        return NearIndex.of(projection, np.ascontiguousarray(clusters.centroids, dtype=np.float32))

    def add(self, ids: I64, points: F32) -> None:
        """Add rows with projected points float32[n, d] to their nearest cells."""
        if not len(ids):
            return
        half = _as_queries(points) @ _as_members(self.centres).T
        nearest = half.argmax(axis=1)  # the first of equally close ones, as in `_cells_in_reach`
        far = np.sqrt(np.maximum(-2.0 * half[np.arange(len(ids)), nearest], 0.0))
        order = np.argsort(nearest, kind="stable")
        for chunk in np.split(order, np.flatnonzero(np.diff(nearest[order])) + 1):
            key = int(nearest[chunk[0]])
            members, radius = _as_members(points[chunk]), float(far[chunk].max())
            old = self.cells.get(key)
            if old is None:
                self.cells[key] = _Cell(ids[chunk], members, radius)
            else:
                self.cells[key] = _Cell(
                    np.concatenate([old.ids, ids[chunk]]),
                    np.vstack([old.members, members]),
                    max(old.radius, radius),
                )

    def candidates(self, points: F32, squared_radius: float) -> Iterator[tuple[I64, I64]]:
        """Yield (position in `points`, id of a row) arrays of all pairs that may be within the radius."""
        if not self.cells or not len(points):
            return
        queries = _as_queries(points)
        limit = np.float32(-0.5 * (squared_radius + _SLACK))
        in_reach = self._cells_in_reach(queries, float(np.sqrt(squared_radius)))
        product, hit = np.empty(_PAIRS_PER_CHUNK, dtype=np.float32), np.empty(_PAIRS_PER_CHUNK, dtype=bool)
        for place in np.flatnonzero(in_reach.any(axis=1)):
            cell = self.cells[int(place)]
            rows = np.flatnonzero(in_reach[place])
            for ids, members in cell.parts():
                step = max(1, _PAIRS_PER_CHUNK // len(ids))
                for start in range(0, len(rows), step):
                    part = rows[start : start + step]
                    size = len(part) * len(ids)
                    np.matmul(queries[part], members.T, out=product[:size].reshape(len(part), len(ids)))
                    hits = np.flatnonzero(np.greater_equal(product[:size], limit, out=hit[:size]))
                    if len(hits):
                        yield part[hits // len(ids)], ids[hits % len(ids)]

    def _cells_in_reach(self, queries: F32, radius: float) -> NDArray[np.bool_]:
        """Whether a cell may contain a row within the radius of a query: bool[cells, queries]."""
        reach = np.full(len(self.centres), -np.inf, dtype=np.float32)
        for key, cell in self.cells.items():
            reach[key] = cell.radius + radius + _SLACK
        # All values below are -distance**2 / 2, like the products.
        product_min = np.where(np.isfinite(reach), -0.5 * reach * reach - _SLACK, np.inf).astype(np.float32)
        centres = _as_members(self.centres).T
        in_reach = np.empty((len(queries), len(self.centres)), dtype=bool)
        half, planes = (np.empty((_QUERIES_PER_CHUNK, len(self.centres)), dtype=np.float32) for _ in range(2))
        for start in range(0, len(queries), _QUERIES_PER_CHUNK):
            chunk = queries[start : start + _QUERIES_PER_CHUNK]
            chunk_half, chunk_plane, chunk_in_reach = (
                half[: len(chunk)],
                planes[: len(chunk)],
                in_reach[start : start + len(chunk)],
            )
            np.matmul(chunk, centres, out=chunk_half)
            np.greater_equal(chunk_half, product_min, out=chunk_in_reach)
            nearest = chunk_half.argmax(axis=1)
            chunk_half -= chunk_half[np.arange(len(chunk)), nearest][:, None]
            np.take(self.between, nearest, axis=0, out=chunk_plane)
            chunk_plane *= np.float32(radius + _SLACK)
            chunk_half += chunk_plane
            chunk_in_reach &= chunk_half >= -_SLACK
        return np.ascontiguousarray(in_reach.T)


def squared_radius_of(threshold: float) -> float:
    """The squared distance of two vectors of length one whose cosine is `threshold`."""
    return 2.0 * (1.0 - threshold)
