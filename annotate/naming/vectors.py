"""Reading face vectors from the database in chunks, to bound memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from annotate.algorithms import clustering, tracks
from annotate.algorithms.face_features import unpack as unpack_builtin
from annotate.backends.embedders.known_embedders import Unpack, VectorMetric
from annotate.models import Face, ModelVersion
from ingest.models import Collection, FrameState

FloatArray = npt.NDArray[np.float32]
CHUNK = 4096  # faces: 26 MB of vectors


def described(collection: Collection, version: ModelVersion) -> QuerySet[Face]:
    """Select the real faces of kept frames with a vector of this version, by key."""
    return (
        Face.objects.real()
        .filter(collection=collection, frame__state=FrameState.KEPT, embedding__isnull=False, embedding_version=version)
        .order_by("pk")
    )


def vectors_of(keys: list[int], unpack: Unpack = unpack_builtin) -> FloatArray:
    """Return the vectors [N, D] of faces, in the order of `keys`, which are unique."""
    rows: dict[int, bytes] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        face_rows = Face.objects.filter(pk__in=part).values_list("pk", "embedding")
        rows.update((key, bytes(data or b"")) for key, data in face_rows)
    return unpack([rows[key] for key in keys])


def chunks(keys: list[int], unpack: Unpack = unpack_builtin) -> Iterator[tuple[slice, FloatArray]]:
    """Yield the positions and vectors of `keys`, chunk by chunk."""
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        yield slice(start, start + len(part)), vectors_of(part, unpack)


def projection_of(keys: list[int], unpack: Unpack = unpack_builtin) -> clustering.Projection:
    """Return the projection learned from an even sample of these faces."""
    places = np.linspace(0, len(keys) - 1, min(len(keys), clustering.SAMPLE_MAX)).round().astype(int)
    return clustering.learn_projection(vectors_of([keys[place] for place in np.unique(places)], unpack))


def tracks_of(
    keys: list[int], points: FloatArray, *, distances: tracks.Distances | None = None
) -> npt.NDArray[np.int64]:
    """Return the tracks [N] of faces through their shots; see `tracks.link`."""
    names = ("pk", "frame__shot_id", "frame__index", "left", "top", "right", "bottom")
    rows: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(keys), 500):
        for row in Face.objects.filter(pk__in=keys[start : start + 500]).values_list(*names):
            rows[row[0]] = row[1:]
    shot = np.array([-1 if rows[key][0] is None else rows[key][0] for key in keys], np.int64)
    frame = np.array([rows[key][1] for key in keys], np.int64)
    boxes = np.array([rows[key][2:] for key in keys], np.float32).reshape(-1, 4)
    return tracks.link(shot, frame, boxes, points, distances=distances)


def points_of(keys: list[int], projection: clustering.Projection, unpack: Unpack = unpack_builtin) -> FloatArray:
    """Return the projected vectors [N, d] of faces."""
    points = np.empty((len(keys), projection.directions.shape[1]), np.float32)
    for places, vectors in chunks(keys, unpack):
        points[places] = projection.apply(vectors)
    return points


def half_vectors_of(
    keys: list[int], metric: VectorMetric, unpack: Unpack, *, on_progress: Callable[[], None] = lambda: None
) -> npt.NDArray[np.float16]:
    """Return the vectors [N, length] of faces in half precision, for complete collections: 230 MB per 150,000 faces."""
    half_vectors = np.empty((len(keys), metric.length), np.float16)
    for places, vectors in chunks(keys, unpack):
        on_progress()
        half_vectors[places] = vectors
    return half_vectors


def distances_by(metric: VectorMetric, vectors: npt.NDArray[np.float16]) -> tracks.Distances:
    """Return a function for differences of rows as fractions of the metric's threshold, for linking tracks."""

    def distances(now: list[int], before: list[int]) -> FloatArray:
        differences = metric.differences(vectors[now].astype(np.float32), vectors[before].astype(np.float32))
        return np.asarray(differences / metric.threshold, np.float32)

    return distances
