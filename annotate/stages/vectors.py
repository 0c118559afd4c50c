"""Reads the vectors of faces from the database in chunks, so that memory holds never more than one chunk of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from annotate.algorithms import clustering
from annotate.algorithms.face_features import unpack
from annotate.models import Face, ModelVersion
from ingest.models import Collection, FrameState

FloatArray = npt.NDArray[np.float32]
CHUNK = 4096  # faces: 26 MB of descriptions


def described(collection: Collection, version: ModelVersion) -> QuerySet[Face]:
    """Real faces of kept frames with a vector of this version, by key."""
    return (
        Face.objects.real()
        .filter(collection=collection, frame__state=FrameState.KEPT, embedding__isnull=False, embedding_version=version)
        .order_by("pk")
    )


def vectors_of(keys: list[int]) -> FloatArray:
    """Vectors [N, D] of faces by key, in the order of `keys`, which are unique."""
    rows: dict[int, bytes] = {}
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        found = Face.objects.filter(pk__in=part).values_list("pk", "embedding")
        rows.update((key, bytes(data or b"")) for key, data in found)
    return unpack([rows[key] for key in keys])


def chunks(keys: list[int]) -> Iterator[tuple[slice, FloatArray]]:
    """The places and vectors of `keys`, chunk after chunk."""
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        yield slice(start, start + len(part)), vectors_of(part)


def projection_of(keys: list[int]) -> clustering.Projection:
    """The projection learned from an even sample of these faces."""
    places = np.linspace(0, len(keys) - 1, min(len(keys), clustering.SAMPLE_MAX)).round().astype(int)
    return clustering.learn_projection(vectors_of([keys[place] for place in np.unique(places)]))


def points_of(keys: list[int], projection: clustering.Projection) -> FloatArray:
    """Projected vectors [N, d] of faces by key."""
    points = np.empty((len(keys), projection.directions.shape[1]), np.float32)
    for places, vectors in chunks(keys):
        points[places] = projection.apply(vectors)
    return points
