"""Clusters the collection's faces by character: new faces join a matching cluster, the rest form new ones.

People's changes stay: members are never moved, and a removed face is not put back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from django.db.models import QuerySet

from annotate.actions.clusters import next_number
from annotate.actions.model_versions import version_of
from annotate.algorithms import clustering
from annotate.algorithms.difference_clustering import DEFAULTS, MERGE_SHARE
from annotate.backends.embedders.known_embedders import DifferenceEmbedder, attentive, unpack_of
from annotate.chosen_models.embedder import embedder_of
from annotate.counters.face_columns import recount
from annotate.models import Face, FaceCluster, FaceState, NamedBy
from annotate.naming import vectors
from annotate.stages.difference_groups import FaceGrouping
from annotate.tagging import colour_votes, from_pixels
from ingest.pipeline.contract import Context, Stage

WRITE = 500  # faces per UPDATE


@dataclass(slots=True)
class ClusterParams:
    """`merge_distance`: higher values make fewer, less pure groups. The `ccip` settings are for embedders that compare
    by a learned difference."""

    merge_distance: float = field(
        default=clustering.MERGE_DISTANCE,
        metadata={"label": "Merge distance", "help": "0.1 to 3: higher values make fewer, less pure groups"},
    )
    ccip_method: str = field(
        default="optics", metadata={"label": "CCIP: clustering", "choices": tuple((name, name) for name in DEFAULTS)}
    )
    ccip_merge_share: float = field(
        default=MERGE_SHARE,
        metadata={"label": "CCIP: merge share", "help": "0 to 1: share of similar pairs at which groups are merged"},
    )

    def __post_init__(self) -> None:
        if not 0.1 <= self.merge_distance <= 3.0:
            raise ValueError(f"merge_distance must be between 0.1 and 3, not {self.merge_distance}")
        if self.ccip_method not in DEFAULTS:
            raise ValueError(f"ccip_method must be one of {', '.join(DEFAULTS)}, not {self.ccip_method!r}")
        if not 0 < self.ccip_merge_share <= 1:
            raise ValueError(f"ccip_merge_share must be between 0 and 1, not {self.ccip_merge_share}")


@dataclass(frozen=True, slots=True)
class Part:
    """A block to be compared, or the number of faces in a compared one."""

    number: int


@dataclass(frozen=True, slots=True)
class Result:
    """Faces by the existing cluster they join, and faces and purity of each new cluster, largest first.

    `purity` of existing clusters with their new faces, where it was measured again.
    """

    joined: dict[int, list[int]]
    fresh: list[tuple[list[int], float]]
    purity: dict[int, float] = field(default_factory=dict)


class Cluster(Stage[list[int] | Part, Result | Part]):
    """Faces without a cluster or a person's label; one batch, after the batches that compare many people."""

    name: ClassVar[str] = "cluster"
    label: ClassVar[str] = "Group faces"
    about: ClassVar[str] = "Groups similar faces across the whole collection."
    queue: ClassVar[str] = "cpu"
    per_episode: ClassVar[bool] = False
    params_type: ClassVar[type] = ClusterParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self.params: ClusterParams = ctx.params
        self.grouping: FaceGrouping | None = None
        self.compared = 0  # faces
        embedder = embedder_of(ctx.collection, models=ctx.models)
        self.is_enabled = embedder is not None
        if embedder is None:
            return
        self.embedder = attentive(embedder, lambda: ctx.alive())
        self.version = version_of(embedder.info)
        ctx.device = embedder.device

    def pending(self) -> QuerySet[Face]:
        """Faces without a cluster and never edited by a person (`version` 1), unless the box was moved or drawn."""
        free = vectors.described(self.ctx.collection, self.version).filter(cluster=None, state=FaceState.FACE)
        free = free.exclude(named_by=NamedBy.PERSON)
        return free.filter(version=1) | free.filter(version__gt=1, box_by_person=True)

    def batches(self) -> Iterator[list[int] | Part]:
        keys = list(self.pending().values_list("pk", flat=True))
        self.ctx.total = len(keys)
        if keys and isinstance(self.embedder, DifferenceEmbedder):
            self.ctx.start_over()
            chosen, share = self.embedder.clusterings[self.params.ccip_method], self.params.ccip_merge_share
            self.grouping = FaceGrouping(
                self.ctx, self.embedder, keys, self._members(), clustering=chosen, merge_share=share
            )
            yield from map(Part, range(self.grouping.blocks))
        if keys:
            yield keys

    def _members(self) -> list[tuple[int, int]]:
        """Return (face, cluster) of faces in clusters."""
        members = vectors.described(self.ctx.collection, self.version).filter(cluster__isnull=False)
        return list(members.values_list("pk", "cluster_id"))

    def work(self, batch: list[int] | Part) -> Result | Part:
        if self.grouping is not None:
            if isinstance(batch, Part):
                return Part(self.grouping.compare(batch.number))
            grouped = self.grouping.grouped()
            return Result(grouped.joined, grouped.fresh)
        return self._by_distance(batch if isinstance(batch, list) else [])

    def _by_distance(self, batch: list[int]) -> Result:
        rows = self._members()
        unpack = unpack_of(self.embedder)
        projection = vectors.projection_of(sorted([*batch, *(key for key, _ in rows)]), unpack)
        points = vectors.points_of(batch, projection, unpack)
        track = vectors.tracks_of(batch, points)
        owners, owner = np.unique(np.array([of for _, of in rows], np.int64), return_inverse=True)
        inside = vectors.points_of([key for key, _ in rows], projection, unpack)
        seen = clustering.means(points, track)
        places = clustering.join(seen, inside, owner, merge_distance=self.params.merge_distance)[track]
        joined: dict[int, list[int]] = {}
        for row in np.flatnonzero(places != clustering.NOBODY):
            joined.setdefault(int(owners[places[row]]), []).append(batch[row])
        rest = np.flatnonzero(places == clustering.NOBODY)
        frames = dict(Face.objects.filter(collection=self.ctx.collection).values_list("pk", "frame_id"))
        frame_keys = np.array([frames[batch[row]] for row in rest], np.int64)
        own_track = np.unique(track[rest], return_inverse=True)[1]
        clusters = clustering.cluster(
            points[rest], track=own_track, keep_apart=frame_keys, merge_distance=self.params.merge_distance
        )
        fresh: list[list[int]] = [[] for _ in clusters.size]
        for row, label in zip(rest, clusters.label):
            fresh[label].append(batch[row])
        new = [(keys, round(float(purity), 4)) for keys, purity in zip(fresh, clusters.purity)]
        again: dict[int, float] = {}
        if rows:
            at_home = np.flatnonzero(places != clustering.NOBODY)
            everybody = [*(key for key, _ in rows), *(batch[row] for row in at_home)]
            all_points = np.concatenate([inside, points[at_home]])
            purity = clustering.measured(
                all_points,
                np.concatenate([owner, places[at_home]]),
                track=vectors.tracks_of(everybody, all_points),
                keep_apart=np.array([frames[key] for key in everybody], np.int64),
                merge_distance=self.params.merge_distance,
            )
            again = {int(key): round(float(value), 4) for key, value in zip(owners, purity)}
        return Result(joined, new, again)

    def save(self, result: Result | Part) -> int:
        if isinstance(result, Part):
            self.compared += result.number
            return result.number
        done = 0
        for key, faces in result.joined.items():
            row = FaceCluster.objects.select_for_update().filter(pk=key).first()
            if row is not None:  # else a person merged it meanwhile; the next run takes these faces
                done += self._put(faces, row)
        number = next_number(self.ctx.collection)
        rows = FaceCluster.objects.bulk_create(
            [
                FaceCluster(collection=self.ctx.collection, number=number + index, size=len(faces), purity=purity)
                for index, (faces, purity) in enumerate(result.fresh)
            ],
            batch_size=WRITE,
        )
        for row, (faces, _) in zip(rows, result.fresh):
            done += self._put(faces, row)
        self._recount([*result.joined, *(row.pk for row in rows)])
        existing = FaceCluster.objects.filter(collection=self.ctx.collection).in_bulk(list(result.purity))
        changed = [row for key, row in existing.items() if row.purity != result.purity[key]]
        for row in changed:
            row.purity = result.purity[row.pk]
        FaceCluster.objects.bulk_update(changed, ["purity"], batch_size=WRITE)
        self.ctx.count("grouped", done)
        self.ctx.count("new_groups", len(rows))
        return max(0, done - self.compared)

    def finish(self) -> None:
        if self.grouping is not None:
            self.grouping.forget()
        colour_votes.settle(self.ctx.frames(), from_pixels.scored_version().version)

    def _put(self, faces: list[int], row: FaceCluster) -> int:
        """Add faces to a cluster, except those a person has edited meanwhile."""
        done = 0
        for start in range(0, len(faces), WRITE):
            waiting = Face.objects.filter(pk__in=faces[start : start + WRITE], cluster=None, state=FaceState.FACE)
            done += waiting.exclude(named_by=NamedBy.PERSON).update(cluster=row)
        return done

    def _recount(self, keys: list[int]) -> None:
        """Update the sizes of these clusters; empty ones are deleted."""
        recount(clusters=keys)
        for start in range(0, len(keys), WRITE):
            FaceCluster.objects.filter(pk__in=keys[start : start + WRITE], size=0).delete()
