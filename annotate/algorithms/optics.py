"""OPTICS on precomputed differences, dense or sparse, with progress and cancel; results equal scikit-learn's.

Ankerst et al.: OPTICS, 1999. The order of points is made here, one look at each point's neighbours a step; scikit-learn
cuts groups out of it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from scipy.sparse import csr_array

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]
NeighboursOf = Callable[[int], tuple[IntArray, DoubleArray]]  # a point's neighbours within eps, and how far they are

DECIMALS = 15  # as scikit-learn rounds, so that ties are the same
TELL_EVERY = 256  # points
UNREACHED = np.finfo(np.float64).max


def optics(
    differences: npt.NDArray[np.float32] | csr_array,
    *,
    eps: float,
    min_samples: int,
    on_progress: Callable[[], None] = lambda: None,
) -> IntArray:
    """Groups [N] 0, 1, ... and -1 from a symmetric matrix [N, N], N >= `min_samples`; `tell` may raise to stop it.

    A sparse matrix holds the pairs that were compared; it is sorted, and its diagonal is taken as 0. All others count
    as further apart than `eps`. A step takes N comparisons, so 100,000 points take seconds.
    """
    neighbours_of, core = _dense(differences, eps) if isinstance(differences, np.ndarray) else _sparse(differences, eps)
    return ordered_groups(
        neighbours_of,
        np.array([core(point, min_samples) for point in range(differences.shape[0])]),
        min_samples,
        on_progress,
    )


def ordered_groups(
    neighbours_of: NeighboursOf, core: DoubleArray, min_samples: int, on_progress: Callable[[], None]
) -> IntArray:
    """Groups [N] by their neighbours and core distances [N] (infinite: no core)."""
    count = len(core)
    core = np.around(core, DECIMALS)
    reach, before = np.full(count, np.inf), np.full(count, -1)
    next_one, done = np.full(count, UNREACHED), np.zeros(count, bool)  # of those not done: how soon it is their turn
    order = np.zeros(count, np.int64)
    for step in range(count):
        if step % TELL_EVERY == 0:
            on_progress()
        point = int(next_one.argmin())  # the first of equal ones
        order[step], done[point], next_one[point] = point, True, np.inf
        if not np.isfinite(core[point]):
            continue
        others, differences = neighbours_of(point)
        waiting = ~done[others]
        others, differences = others[waiting], np.around(np.maximum(differences[waiting], core[point]), DECIMALS)
        nearer = differences < reach[others]
        others, differences = others[nearer], differences[nearer]
        reach[others] = next_one[others] = differences
        before[others] = point
    from sklearn.cluster import cluster_optics_xi  # late, as in `difference_clustering`

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it divides by reachabilities of 0
        labels: Any = cluster_optics_xi(
            reachability=reach, predecessor=before, ordering=order, min_samples=min_samples
        )[0]
    return np.asarray(labels, np.int64)


def _dense(square: npt.NDArray[np.float32], eps: float) -> tuple[NeighboursOf, Callable[[int, int], float]]:
    def neighbours_of(point: int) -> tuple[IntArray, DoubleArray]:
        row = square[point].astype(np.float64)
        others = np.flatnonzero(row <= eps)
        return others, row[others]

    def core(point: int, rank: int) -> float:
        value = float(np.partition(square[point], rank - 1)[rank - 1])
        return value if value <= eps else np.inf

    return neighbours_of, core


def _sparse(graph: csr_array, eps: float) -> tuple[NeighboursOf, Callable[[int, int], float]]:
    start, index, value = graph.indptr, graph.indices, graph.data

    def neighbours_of(point: int) -> tuple[IntArray, DoubleArray]:
        row = slice(start[point], start[point + 1])
        within = value[row] <= eps
        return index[row][within], value[row][within].astype(np.float64)

    def core(point: int, rank: int) -> float:
        row = value[start[point] : start[point + 1]]
        if len(row) < rank - 1:  # it is its own first neighbour
            return np.inf
        distance = float(np.partition(row, rank - 2)[rank - 2])
        return distance if distance <= eps else np.inf

    return neighbours_of, core
