"""Vectors of faces by any embedder: the stored one, else a separately cached one, computed on demand."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from django.db import transaction
from django.db.models import F

from annotate.actions.model_versions import version_of
from annotate.backends.contract import Embedder, Picture
from annotate.backends.embedders.known_embedders import packed, unpack_of
from annotate.evaluation.on_collection.progress import Progress
from annotate.models import Face, FaceVector, ModelVersion
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.models import Collection
from ingest.storage.stored_files import store

FloatArray = npt.NDArray[np.float32]
BATCH = 16  # faces per batch; a cancel takes effect between batches
CHUNK = 500  # faces per query


@dataclass(slots=True)
class Described:
    """`keys` of faces in order with their vectors [n, length]; remarks on faces without one.

    `made` of them were computed now, in `seconds` of the embedder.
    """

    keys: list[int]
    vectors: FloatArray
    unreadable: list[str] = field(default_factory=list)
    embedded: int = 0
    seconds: float = 0.0

    @property
    def ms_per_face(self) -> float:
        """Milliseconds per face; 0 where no vector had to be computed."""
        return 1000 * self.seconds / self.embedded if self.embedded else 0.0


def read_head(name: str, face: int) -> Picture:
    """The stored crop of a face, uint8 RGB. Raises OSError or UnreadablePicture."""
    return read_picture(store().read(name), name=f"the head of face {face}").rgb


def describe(collection: Collection, keys: list[int], embedder: Embedder, progress: Progress) -> Described:
    """Return vectors of faces of the collection; missing ones are computed and cached."""
    version = version_of(embedder.info)
    lacking = _lacking(collection, keys, version)
    progress.expect(len(lacking))
    unreadable: list[str] = []
    embedded, seconds = 0, 0.0
    for start in range(0, len(lacking), BATCH):
        part, heads = [], []
        for key, crop in lacking[start : start + BATCH]:
            progress.step()
            try:
                heads.append(read_head(crop, key))
                part.append((key, crop))
            except (OSError, UnreadablePicture) as error:
                unreadable.append(f"Face {key} has no description: its crop cannot be read: {error}")
        if heads:
            started = time.perf_counter()
            vectors_new = embedder.embed(heads)
            seconds += time.perf_counter() - started
            embedded += len(heads)
            _keep(version, part, [packed(embedder, vector) for vector in vectors_new])
    stored_keys, vectors = _read(collection, keys, version, embedder)
    return Described(stored_keys, vectors, unreadable, embedded, seconds)


def _lacking(collection: Collection, keys: list[int], version: ModelVersion) -> list[tuple[int, str]]:
    """Keys and crops of the faces without a vector of this version, in order."""
    crops: dict[int, str] = {}
    for start in range(0, len(keys), CHUNK):
        part = Face.objects.filter(collection=collection, pk__in=keys[start : start + CHUNK]).exclude(crop="")
        stored_on_face = part.filter(embedding__isnull=False, embedding_version=version).values_list("pk", flat=True)
        stored_vectors = FaceVector.objects.filter(
            model_version=version, face__in=part.values("pk"), head=F("face__crop")
        )
        have = set(stored_on_face) | set(stored_vectors.values_list("face_id", flat=True))
        crops |= {pk: crop for pk, crop in part.values_list("pk", "crop") if pk not in have}
    return [(key, crops[key]) for key in keys if key in crops]


def _keep(version: ModelVersion, part: list[tuple[int, str]], data: list[bytes]) -> None:
    with transaction.atomic():
        # One may have been deleted meanwhile.
        existing = set(Face.objects.filter(pk__in=[key for key, _ in part]).values_list("pk", flat=True))
        FaceVector.objects.bulk_create(
            [
                FaceVector(face_id=key, model_version=version, head=crop, data=vector)
                for (key, crop), vector in zip(part, data)
                if key in existing
            ],
            update_conflicts=True, unique_fields=["model_version", "face"], update_fields=["head", "data"],
        )  # fmt: skip


def _read(
    collection: Collection, keys: list[int], version: ModelVersion, embedder: Embedder
) -> tuple[list[int], FloatArray]:
    unpack = unpack_of(embedder)
    keys_read: list[int] = []
    parts: list[FloatArray] = []
    for start in range(0, len(keys), CHUNK):
        part = keys[start : start + CHUNK]
        rows = Face.objects.filter(collection=collection, pk__in=part)
        on_face = rows.filter(embedding__isnull=False, embedding_version=version).values_list("pk", "embedding")
        data = {pk: bytes(vector or b"") for pk, vector in on_face}
        stored_vectors = FaceVector.objects.filter(
            model_version=version, face__in=rows.values("pk"), head=F("face__crop")
        )
        data |= {pk: bytes(vector) for pk, vector in stored_vectors.values_list("face_id", "data") if pk not in data}
        here = [key for key in part if key in data]
        if here:
            keys_read += here
            parts.append(unpack([data[key] for key in here]))
    vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.length), np.float32)
    return keys_read, vectors
