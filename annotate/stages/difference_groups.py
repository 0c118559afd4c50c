"""Groups faces for embedders that compare by a learned difference (CCIP): bounded in memory, tracks first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotate.algorithms import difference_clustering as by_difference
from annotate.algorithms.clustering import purity_of
from annotate.algorithms.difference_clustering import NOBODY, Clustering
from annotate.backends.embedders import DifferenceEmbedder, unpack_of
from annotate.models import Face
from annotate.stages import vectors
from ingest.models import Collection

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
MEMBERS_MAX = 40  # faces of a cluster that newcomers are compared with
PURITY_MAX = 200  # people (tracks) of a cluster among whom its purity is measured


@dataclass(frozen=True, slots=True)
class Grouped:
    """Faces (keys) that join each existing cluster, and new clusters with their purity, largest first."""

    joined: dict[int, list[int]]
    fresh: list[tuple[list[int], float]]


def group_faces(
    collection: Collection,
    embedder: DifferenceEmbedder,
    keys: list[int],
    members: list[tuple[int, int]],
    *,
    clustering: Clustering,
    merge_share: float,
) -> Grouped:
    """Group the faces `keys`; `members` are (face, cluster) of those that are in clusters.

    The faces of one track are one person and count as one merged vector. A person joins the cluster to which it differs
    least, if enough of that are the same person; the rest is clustered; who is left is alone in a cluster.
    """
    unpack = unpack_of(embedder)
    half = vectors.half_vectors_of(keys, embedder, unpack)
    track = vectors.tracks_of(keys, np.zeros((0, 0), np.float32), distances=vectors.distances_by(embedder, half))
    people = _people(half, track)
    place = _join(people, embedder, members)
    joined: dict[int, list[int]] = {}
    for key, cluster in zip(keys, place[track].tolist()):
        if cluster != NOBODY:
            joined.setdefault(cluster, []).append(key)
    rest = np.flatnonzero(place == NOBODY)
    label = by_difference.group(
        people[rest], embedder.differences, clustering, threshold=embedder.threshold, merge_share=merge_share
    )
    alone = np.flatnonzero(label == NOBODY)
    label[alone] = label.max(initial=NOBODY) + 1 + np.arange(len(alone))
    frames = dict(Face.objects.filter(collection=collection).values_list("pk", "frame_id"))
    of_person: dict[int, list[int]] = {}
    for at, person in enumerate(track):
        of_person.setdefault(int(person), []).append(keys[at])
    fresh: list[tuple[list[int], float]] = []
    for one in range(int(label.max(initial=-1)) + 1):
        own = rest[label == one]
        faces = sorted(key for person in own for key in of_person[int(person)])
        fresh.append((faces, _purity(people[own], [frames[key] for key in faces], embedder)))
    fresh.sort(key=lambda row: (-len(row[0]), row[0][0]))
    return Grouped(joined, fresh)


def _people(half: npt.NDArray[np.float16], track: IntArray) -> FloatArray:
    """One vector a track."""
    order = np.argsort(track, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(track[order])) + 1) if len(order) else []
    found = np.zeros((len(parts), half.shape[1]), np.float32)
    for at, rows in enumerate(parts):
        own = half[rows].astype(np.float32)
        found[at] = own[0] if len(own) == 1 else by_difference.merge_vectors(own)
    return found


def _join(people: FloatArray, embedder: DifferenceEmbedder, members: list[tuple[int, int]]) -> IntArray:
    """The cluster key that each person joins, or NOBODY."""
    place = np.full(len(people), NOBODY, np.int64)
    of_cluster: dict[int, list[int]] = {}
    for face, cluster in members:
        of_cluster.setdefault(cluster, []).append(face)
    if not of_cluster or not len(people):
        return place
    clusters, seen, owner = sorted(of_cluster), [], []
    for at, cluster in enumerate(clusters):
        faces = of_cluster[cluster]
        chosen = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), MEMBERS_MAX)).round().astype(int))
        seen += [faces[row] for row in chosen]
        owner += [at] * len(chosen)
    inside = vectors.half_vectors_of(seen, embedder, unpack_of(embedder)).astype(np.float32)
    for start in range(0, len(people), by_difference.BLOCK):
        rows = slice(start, start + by_difference.BLOCK)
        across = by_difference.across_of(people[rows], inside, embedder.differences)
        found = by_difference.matched(across, np.array(owner, np.int64), threshold=embedder.threshold)
        place[rows] = np.where(found == NOBODY, NOBODY, np.array(clusters)[found])
    return place


def _purity(people: FloatArray, frames: list[int], embedder: DifferenceEmbedder) -> float:
    """`purity_of` the part of pairs that are the same person, less the faces that stand beside another in a picture."""
    if len(frames) < 2:
        return 0.0
    same = 1.0
    if len(people) > 1:
        places = np.unique(np.linspace(0, len(people) - 1, min(len(people), PURITY_MAX)).round().astype(int))
        square = by_difference.square_of(people[places], embedder.differences)
        same = float((square[np.triu_indices(len(places), 1)] <= embedder.threshold).mean())
    _, counts = np.unique(frames, return_counts=True)
    beside = float(counts[counts > 1].sum()) / len(frames)
    return round(float(purity_of(same * (1.0 - beside) * len(frames), len(frames))), 4)
