"""Comparison of two embedders on the same faces: recognised characters, disagreements, agreement of groups. Pure.

Memory: one block of rows against all faces, never all pairs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Across = Callable[[IntArray, IntArray], FloatArray]  # rows [n], columns [m] -> distances [n, m], any measure

NOBODY = -1
BLOCK = 256  # rows


@dataclass(frozen=True, slots=True)
class Seen:
    """One embedder's results for N faces.

    `nearest`: the face that looks most alike, `near` its distance; `reference`: the named face that does, of `person`;
    `sure` 0 to 1: how much farther the next person is. NOBODY, and infinite, where there is none.
    """

    nearest: IntArray
    difference: FloatArray
    reference: IntArray
    person: IntArray
    sure: FloatArray


@dataclass(frozen=True, slots=True)
class Doubt:
    """A face that the two give different people: is it `person`, as one of them says because of `reference`?"""

    face: int
    person: int
    reference: int
    by_first: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """Two faces that one embedder (`by_first`) finds most alike and groups together, and the other one parts."""

    face: int
    other: int
    by_first: bool


def recognise(across: Across, count: int, *, keep_apart: IntArray, person: IntArray, block: int = BLOCK) -> Seen:
    """Each of `count` faces against all others but those of its own `apart` [N] (a shot, a picture: too easy).

    `person` [N] numbers who a face is, NOBODY where nobody said so. Of equal distances the earlier face counts,
    among named ones the first person.
    """
    nearest, reference = np.full(count, NOBODY, np.int64), np.full(count, NOBODY, np.int64)
    smallest, sure = np.full(count, np.inf, np.float32), np.zeros(count, np.float32)
    named = np.flatnonzero(person != NOBODY)
    named = named[np.argsort(person[named], kind="stable")]
    edges = np.unique(person[named], return_index=True)[1]
    every = np.arange(count)
    for start in range(0, count, block):
        rows = every[start : start + block]
        differences = np.asarray(across(rows, every), np.float32).copy()
        differences[keep_apart[rows][:, None] == keep_apart[None]] = np.inf
        best = differences.argmin(axis=1)
        smallest[rows] = differences[np.arange(len(rows)), best]
        nearest[rows] = np.where(np.isfinite(smallest[rows]), best, NOBODY)
        if not len(named):
            continue
        known = differences[:, named]
        best_column = known.argmin(axis=1)
        has_named = np.isfinite(known[np.arange(len(rows)), best_column])
        reference[rows] = np.where(has_named, named[best_column], NOBODY)
        sure[rows] = _sure(np.minimum.reduceat(known, edges, axis=1))
    of = np.where(reference == NOBODY, NOBODY, person[reference])
    return Seen(nearest, smallest, reference, of.astype(np.int64), sure)


def _sure(by_person: FloatArray) -> FloatArray:
    """1 - nearest / next nearest person [n, K]; 0 where only one person, or none, can be meant."""
    if by_person.shape[1] < 2:
        return np.zeros(len(by_person), np.float32)
    first, second = np.partition(by_person, 1, axis=1)[:, :2].T
    usable = np.isfinite(second) & (second > 0)
    return np.where(usable, 1.0 - first / np.where(usable, second, 1.0), 0.0).astype(np.float32)


def same_share(first: IntArray, second: IntArray) -> float:
    """The share of faces for which both give the same answer, of those for which both have one; 1.0 without any."""
    both = (first != NOBODY) & (second != NOBODY)
    return float((first == second)[both].mean()) if both.any() else 1.0


def right_share(seen: Seen, person: IntArray) -> float | None:
    """Of the named faces, the share whose nearest other named face is the same person; None where none can be asked."""
    is_named = (person != NOBODY) & (seen.person != NOBODY)
    return float((seen.person == person)[is_named].mean()) if is_named.any() else None


def rand_index(first: IntArray, second: IntArray) -> float:
    """Adjusted Rand index (Hubert and Arabie, 1985) of two groupings [N]: 1 the same groups, 0 as by chance."""
    if len(first) < 2:
        return 1.0
    from sklearn.metrics import adjusted_rand_score  # late, as in `difference_clustering`

    return float(adjusted_rand_score(first, second))


def doubts(first: Seen, second: Seen, *, waiting: BoolArray) -> list[Doubt]:
    """Two questions for each face of `waiting` [N] that the two name differently; where both are surest comes first,
    and of one face the surer embedder's answer."""
    differ = waiting & (first.person != second.person) & (first.person != NOBODY) & (second.person != NOBODY)
    rows = np.flatnonzero(differ)
    both = np.minimum(first.sure, second.sure)[rows]
    questions = []
    for row in rows[np.lexsort((rows, -both))].tolist():
        sides = [(first, True), (second, False)]
        for seen, by_first in sides if first.sure[row] >= second.sure[row] else sides[::-1]:
            questions.append(Doubt(row, int(seen.person[row]), int(seen.reference[row]), by_first))
    return questions


def parted(first: Seen, second: Seen, groups: tuple[IntArray, IntArray]) -> list[Parted]:
    """Pairs that one puts together and the other apart, each pair once, the closest for its size first."""
    parted_pairs: list[tuple[float, Parted]] = []
    for seen, own_groups, other, by_first in ((first, *groups, True), (second, *groups[::-1], False)):
        usual = (
            float(np.median(seen.difference[np.isfinite(seen.difference)]))
            if np.isfinite(seen.difference).any()
            else 1.0
        )
        with_neighbour = np.flatnonzero(seen.nearest != NOBODY)
        mate = seen.nearest[with_neighbour]
        split = (own_groups[with_neighbour] == own_groups[mate]) & (other[with_neighbour] != other[mate])
        pairs = {tuple(sorted(pair)) for pair in zip(with_neighbour[split].tolist(), mate[split].tolist())}
        for low, high in pairs:
            gap = min(
                float(seen.difference[face]) for face, mate in ((low, high), (high, low)) if seen.nearest[face] == mate
            )
            parted_pairs.append((gap / max(usual, 1e-9), Parted(low, high, by_first)))
    return [face for _, face in sorted(parted_pairs, key=lambda pair: (pair[0], pair[1].face, pair[1].other))]
