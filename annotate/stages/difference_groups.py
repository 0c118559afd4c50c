"""Groups faces for embedders with a learned difference (CCIP): by tracks first, and large numbers block by block.

Up to SQUARE_MAX tracks, all pairs are compared; beyond that, each is compared only with those of nearby vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from django.conf import settings

from annotate.algorithms import difference_clustering as by_difference
from annotate.algorithms import difference_graph, near_groups
from annotate.algorithms.clustering import purity_of
from annotate.algorithms.difference_clustering import NOBODY, SAME_COUNT, SAME_SHARE, Clustering
from annotate.algorithms.near_vectors import By, Vectors, nearest
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, unpack_of
from annotate.models import Face
from annotate.naming import vectors
from annotate.stages.compared_blocks import ComparedBlocks, question_of
from ingest.pipeline.contract import Context

IntArray = npt.NDArray[np.int64]
ALL_PAIRS_MAX = by_difference.SQUARE_MAX  # tracks; up to the square of it, pairs with members of clusters
MEMBERS_MAX = 40  # faces per cluster that new faces are compared with
MEMBERS_NEAR = 24  # nearest members whose clusters a new face may join
PURITY_MAX = 200  # tracks per cluster among which its purity is measured


@dataclass(frozen=True, slots=True)
class Grouped:
    """Faces (keys) that join each existing cluster, and new clusters with their purity, largest first."""

    joined: dict[int, list[int]]
    fresh: list[tuple[list[int], float]]


class FaceGrouping:
    """Groups the faces `keys`; `members` are (face, cluster) of those that are in clusters.

    The faces of one track show one character and count as one merged vector. A track joins the cluster with the least
    difference if enough of its members are the same character; the rest is clustered, and what remains forms clusters
    of one. First compare each of `blocks` (none for few tracks) in order, then call `grouped`.
    """

    def __init__(
        self,
        ctx: Context,
        embedder: DifferenceEmbedder,
        keys: list[int],
        members: list[tuple[int, int]],
        *,
        clustering: Clustering,
        merge_share: float,
    ) -> None:
        self._ctx, self._embedder, self._keys = ctx, embedder, keys
        self._clustering, self._merge_share = clustering, merge_share
        unpack = unpack_of(embedder)
        half = vectors.half_vectors_of(keys, embedder, unpack, on_progress=ctx.alive)
        self._track = vectors.tracks_of(
            keys, np.zeros((0, 0), np.float32), distances=vectors.distances_by(embedder, half)
        )
        people = _people(half, self._track)
        del half
        self._by: By | None = None  # set once only nearby vectors are compared
        self._place = self._join(people, members)
        self._rest = np.flatnonzero(self._place == NOBODY)
        self._points = people if len(self._rest) == len(people) else people[self._rest]
        self._neighbours: list[difference_graph.Neighbours] = []
        self.blocks = 0
        if len(self._rest) > ALL_PAIRS_MAX:
            self._begin_blocks()

    def _begin_blocks(self) -> None:
        count, by = len(self._rest), self._measure(self._points)
        self.blocks = -(-count // difference_graph.BLOCK)
        info = self._embedder.info
        model = f"{info.name} {info.revision} {info.sha256} {info.settings}"
        question = question_of(self._points, by, model=model, neighbours=difference_graph.NEIGHBOURS)
        self._blocks = ComparedBlocks(
            settings.KOMA_DATA_DIR, self._ctx.collection, question=question, log=self._ctx.log
        )
        self._ctx.counters["people_compared_with_nearest"] = count
        self._ctx.log(
            f"{count:,} people are too many to compare each with all others (more than {ALL_PAIRS_MAX:,}). Each is "
            f"compared with the {difference_graph.NEIGHBOURS} whose vectors lie nearest (by {by.name.lower()}), and "
            f"with up to {near_groups.SAMPLE} members of the groups near it."
        )

    def compare(self, number: int) -> int:
        """Compare a block, or read it from the cache; return the number of faces in it."""
        rows = slice(number * difference_graph.BLOCK, (number + 1) * difference_graph.BLOCK)
        people = self._rest[rows]
        neighbours = self._blocks.read(number)
        if neighbours is None or len(neighbours.rows) != len(people):
            neighbours = difference_graph.neighbours_of(
                self._points, rows, self._embedder.among, by=self._measure(self._points), on_progress=self._ctx.alive
            )
            self._blocks.keep(number, neighbours)
        else:
            self._ctx.count("blocks_from_before")
        self._neighbours.append(neighbours)
        return int(np.isin(self._track, people).sum())

    def grouped(self) -> Grouped:
        """Return the groups, once all blocks are compared."""
        label = self._labels()
        alone = np.flatnonzero(label == NOBODY)
        label[alone] = label.max(initial=NOBODY) + 1 + np.arange(len(alone))
        joined: dict[int, list[int]] = {}
        for key, cluster in zip(self._keys, self._place[self._track].tolist()):
            if cluster != NOBODY:
                joined.setdefault(cluster, []).append(key)
        frames = dict(Face.objects.filter(collection=self._ctx.collection).values_list("pk", "frame_id"))
        of_person: dict[int, list[int]] = {}
        for key, person in zip(self._keys, self._track.tolist()):
            of_person.setdefault(person, []).append(key)
        fresh: list[tuple[list[int], float]] = []
        order = np.argsort(label, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(label[order])) + 1) if len(order) else ():
            faces = sorted(key for person in self._rest[rows].tolist() for key in of_person[person])
            fresh.append((faces, _purity(self._points[rows], [frames[key] for key in faces], self._embedder)))
        fresh.sort(key=lambda row: (-len(row[0]), row[0][0]))
        return Grouped(joined, fresh)

    def forget(self) -> None:
        """Delete the blocks cached for resuming."""
        if self.blocks:
            self._blocks.forget()

    def _labels(self) -> IntArray:
        threshold, on_progress = self._embedder.threshold, self._ctx.alive
        if not self.blocks:
            return by_difference.group(
                self._points.astype(np.float32), self._embedder.differences, self._clustering,
                threshold=threshold, merge_share=self._merge_share, on_progress=on_progress,
            )  # fmt: skip
        among = self._embedder.among
        proof = difference_graph.proof_of(self._points, self._neighbours, among, threshold=threshold)
        if proof.true_neighbours:
            self._ctx.log(
                f"Checked on {difference_graph.PROVED} people against all: of the {proof.true_neighbours:,} most "
                f"similar ones, {proof.hits:,} were compared ({100 * proof.hits / proof.true_neighbours:.1f} %)."
            )
        graph = difference_graph.graph_of(self._neighbours)
        return difference_graph.group(
            self._points, graph, among, self._clustering, by=self._measure(self._points),
            threshold=threshold, merge_share=self._merge_share, on_progress=on_progress,
        )  # fmt: skip

    def _measure(self, points: Vectors) -> By:
        if self._by is None:
            self._by = difference_graph.measure_of(points, self._embedder.among)
        return self._by

    def _join(self, people: Vectors, members: list[tuple[int, int]]) -> IntArray:
        """Return the cluster key that each track joins, or NOBODY."""
        place = np.full(len(people), NOBODY, np.int64)
        of_cluster: dict[int, list[int]] = {}
        for face, cluster in members:
            of_cluster.setdefault(cluster, []).append(face)
        if not of_cluster or not len(people):
            return place
        clusters, seen, owner = sorted(of_cluster), [], []
        for index, cluster in enumerate(clusters):
            faces = of_cluster[cluster]
            chosen = np.unique(np.linspace(0, len(faces) - 1, min(len(faces), MEMBERS_MAX)).round().astype(int))
            seen += [faces[row] for row in chosen]
            owner += [index] * len(chosen)
        embedder, of = self._embedder, np.array(owner, np.int64)
        inside = vectors.half_vectors_of(seen, embedder, unpack_of(embedder), on_progress=self._ctx.alive)
        if len(people) * len(inside) > ALL_PAIRS_MAX**2:
            joined = self._join_near(people, inside, of)
            return np.where(joined == NOBODY, NOBODY, np.array(clusters)[joined])
        for start in range(0, len(people), by_difference.BLOCK):
            rows = slice(start, start + by_difference.BLOCK)
            across = by_difference.across_of(
                people[rows].astype(np.float32), inside.astype(np.float32), embedder.differences
            )
            joined = by_difference.matched(across, of, threshold=embedder.threshold)
            place[rows] = np.where(joined == NOBODY, NOBODY, np.array(clusters)[joined])
        return place

    def _join_near(self, people: Vectors, inside: Vectors, owner: IntArray) -> IntArray:
        """Return the index of the cluster each of many tracks joins: only those of the nearest members are compared."""
        joined = np.full(len(people), NOBODY, np.int64)
        by = self._measure(people if len(people) > 1 else inside)
        neighbours = nearest(people, inside, MEMBERS_NEAR, by=by, on_progress=self._ctx.alive)
        pairs = np.stack([np.repeat(np.arange(len(people)), neighbours.shape[1]), owner[neighbours].ravel()], axis=1)
        pairs = np.unique(pairs, axis=0)
        edges = np.searchsorted(owner, np.arange(owner.max() + 2))
        members: list[Vectors] = [inside[first:last] for first, last in pairwise(edges)]
        compared = near_groups.scores(
            people, pairs[:, 0], pairs[:, 1], members, self._embedder.among, threshold=self._embedder.threshold
        )
        first, rows = near_groups.best_of(pairs[:, 0], pairs[:, 1], compared)
        same, of = compared.same[first], compared.of[first]
        is_match = (same >= SAME_SHARE * of - 1e-6) | (same >= SAME_COUNT)
        joined[rows] = np.where(is_match, pairs[first, 1], NOBODY)
        return joined


def _people(half: npt.NDArray[np.float16], track: IntArray) -> Vectors:
    """Return one vector per track, in half precision if there are very many."""
    order = np.argsort(track, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(track[order])) + 1) if len(order) else []
    shape = (len(parts), half.shape[1])
    people_vectors: Vectors = (
        np.zeros(shape, np.float32) if len(parts) <= ALL_PAIRS_MAX else np.zeros(shape, np.float16)
    )
    for index, rows in enumerate(parts):
        vectors = half[rows].astype(np.float32)
        people_vectors[index] = vectors[0] if len(vectors) == 1 else by_difference.merge_vectors(vectors)
    return people_vectors


def _purity(people: Vectors, frames: list[int], embedder: DifferenceEmbedder) -> float:
    """`purity_of` the part of pairs that are the same person, less the faces that stand beside another in a picture."""
    if len(frames) < 2:
        return 0.0
    same = 1.0
    if len(people) > 1:
        places = np.unique(np.linspace(0, len(people) - 1, min(len(people), PURITY_MAX)).round().astype(int))
        square = by_difference.square_of(people[places].astype(np.float32), embedder.differences)
        same = float((square[np.triu_indices(len(places), 1)] <= embedder.threshold).mean())
    _, counts = np.unique(frames, return_counts=True)
    repeated_share = float(counts[counts > 1].sum()) / len(frames)
    return round(float(purity_of(same * (1.0 - repeated_share) * len(frames), len(frames))), 4)
