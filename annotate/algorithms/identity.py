"""Recognition of characters from all evidence: similarity to named faces, clusters, and one face per picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotate.algorithms.clustering import means

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

UNKNOWN = -1
CONFIDENCE_MIN = 0.5
# How much the faces of the same cluster count beside the face itself.
CLUSTER_WEIGHT = 0.6
# A cluster with named faces says who it is nearly as surely as a person does.
NAMED_CLUSTER_MAX = 0.9


@dataclass(frozen=True, slots=True)
class Identities:
    """Per face: the column of the character or UNKNOWN, and the confidence (0..1) of the best guess."""

    person: IntArray
    confidence: FloatArray


def decide(
    likeness: FloatArray,
    *,
    cluster: IntArray,
    picture: IntArray,
    known: IntArray,
    ruled_out: Mapping[int, list[int]],
    track: IntArray | None = None,
    confidence_min: float = CONFIDENCE_MIN,
) -> Identities:
    """Decide for `likeness` [N, K] of faces, one column a person.

    `cluster` [N] is a number or -1; `picture` [N] numbers the frames; `known` [N] is the column that a person named, or
    UNKNOWN: such faces count as evidence and keep their answer. `track` [N] (0, 1, ... without gaps) says which faces
    are one person anyway: their likeness is averaged. `ruled_out` lists columns a row (sparse) that a person
    denied. Ties go to the smaller column and the earlier row.
    """
    if track is not None and len(likeness):
        likeness = means(likeness, track)[track]
    sure = _with_clusters(likeness, cluster, known)
    for row, columns in ruled_out.items():
        sure[row, columns] = 0.0
    named = known != UNKNOWN
    sure[named] = 0.0
    sure[np.flatnonzero(named), known[named]] = 1.0
    _once_a_picture(sure, picture, known, confidence_min)
    best = sure.argmax(axis=1)
    confidence = sure[np.arange(len(sure)), best]
    person = np.where(confidence >= confidence_min, best, UNKNOWN)
    return Identities(person.astype(np.int64), confidence.astype(np.float32))


def of_groups(identities: Identities, group: IntArray, groups: int) -> Identities:
    """Decide for each of `groups` groups (`group` [N] is 0, 1, ... per face) which character most of its faces are.

    The confidence is the mean over all faces of the group, where a face that is unknown or somebody else counts 0; a
    group below CONFIDENCE_MIN is UNKNOWN. Ties go to the smaller column.
    """
    people = int(identities.person.max(initial=UNKNOWN)) + 1
    sums = np.zeros((groups, max(1, people)), np.float64)
    named = identities.person != UNKNOWN
    np.add.at(sums, (group[named], identities.person[named]), identities.confidence[named])
    sums /= np.maximum(np.bincount(group, minlength=groups), 1)[:, None]
    best = sums.argmax(axis=1)
    confidence = sums[np.arange(groups), best]
    person = np.where(confidence >= CONFIDENCE_MIN, best, UNKNOWN)
    return Identities(person.astype(np.int64), confidence.astype(np.float32))


def _with_clusters(likeness: FloatArray, cluster: IntArray, known: IntArray) -> FloatArray:
    """Mix each row with its cluster's evidence: its members' mean, and the names given by people in it."""
    sure = likeness.astype(np.float32).copy()
    if not len(sure):
        return sure
    inside = np.flatnonzero(cluster >= 0)
    _, group = np.unique(cluster[inside], return_inverse=True)
    groups = int(group.max()) + 1 if len(group) else 0
    if not groups:
        return sure
    people = likeness.shape[1]
    open_rows, open_group = inside[known[inside] == UNKNOWN], group[known[inside] == UNKNOWN]
    mean = np.zeros((groups, people), np.float64)
    np.add.at(mean, open_group, likeness[open_rows])
    count = np.bincount(open_group, minlength=groups)
    mean /= np.maximum(count, 1)[:, None]
    votes = np.zeros((groups, people), np.float64)
    named = known[inside] != UNKNOWN
    np.add.at(votes, (group[named], known[inside][named]), 1.0)
    voters = votes.sum(axis=1)
    trust = NAMED_CLUSTER_MAX * voters / (voters + 1.0)
    votes /= np.maximum(voters, 1.0)[:, None]
    says = mean * (1.0 - trust)[:, None] + votes * trust[:, None]
    weight = np.where((count > 1) | (voters > 0), CLUSTER_WEIGHT, 0.0)[open_group][:, None]
    sure[open_rows] = sure[open_rows] * (1.0 - weight) + says[open_group] * weight
    return sure


def _once_a_picture(sure: FloatArray, picture: IntArray, known: IntArray, confidence_min: float) -> None:
    """Assign each character to its best face per picture; other faces lose that column. Changes `sure` in place."""
    order = np.argsort(picture, kind="stable")
    edges = np.flatnonzero(np.diff(picture[order])) + 1
    for rows in np.split(order, edges):
        if len(rows) < 2:
            continue
        # Most sure first; a person's own answer is never moved, even when two faces carry the same name.
        for _ in range(len(rows)):
            best = sure[rows].argmax(axis=1)
            value = sure[rows, best]
            clash = False
            for column in np.unique(best[value >= confidence_min]):
                same = rows[(best == column) & (value >= confidence_min)]
                if len(same) < 2:
                    continue
                winner = same[np.lexsort((same, -sure[same, column], known[same] == UNKNOWN))[0]]
                losers = [row for row in same if row != winner and known[row] == UNKNOWN]
                clash = clash or bool(losers)
                sure[losers, column] = 0.0
            if not clash:
                break
