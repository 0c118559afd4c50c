"""Describes the head of each face as a vector, from the crop in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from django.conf import settings
from django.db.models import Q, QuerySet

from annotate.actions.model_versions import version_of
from annotate.backends.embedders import packed
from annotate.backends.onnx_session import AUTO, DEVICES
from annotate.collection_embedder import embedder_of
from annotate.models import Face
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store
from ingest.pipeline.contract import Context, Stage

BATCH = 64
DEVICE_CHOICES = (("auto", "GPU where it starts, else CPU"), ("cpu", "CPU"), ("cuda", "GPU or not at all"))


@dataclass(slots=True)
class EmbedParams:
    """Which model describes faces is the collection's choice, on the models page; `device` is where it runs."""

    device: str = field(default=AUTO, metadata={"label": "Device", "choices": DEVICE_CHOICES})

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {self.device!r}")


@dataclass(frozen=True, slots=True)
class Result:
    """Faces with their packed vectors, and in words those whose crop could not be read."""

    faces: list[Face]
    problems: list[str]


class Embed(Stage[list[Face], Result]):
    """Faces without a vector of this version."""

    name: ClassVar[str] = "embed"
    label: ClassVar[str] = "Describe faces"
    about: ClassVar[str] = "Describes each head by numbers, for grouping and naming."
    queue: ClassVar[str] = "cpu"
    params_type: ClassVar[type] = EmbedParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        embedder = embedder_of(ctx.collection, models=ctx.models, device=ctx.params.device)
        self.wanted = embedder is not None
        if embedder is None:
            return
        self.embedder = embedder
        self.version = version_of(self.embedder.info)
        self.store = Store(settings.KOMA_DATA_DIR / "store", reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        ctx.device = self.embedder.device

    def applies(self) -> bool:
        """Not where the collection wants no embedder."""
        return self.wanted

    def pending(self) -> QuerySet[Face]:
        """Faces of kept frames with a crop and without a vector of this version."""
        faces = Face.objects.real().filter(collection=self.ctx.collection, frame__state="kept").exclude(crop="")
        if self.ctx.episode is not None:
            faces = faces.filter(frame__episode=self.ctx.episode)
        current = Q(embedding__isnull=False, embedding_version=self.version)
        return faces.exclude(pk__in=faces.filter(current).values("pk"))

    def batches(self) -> Iterator[list[Face]]:
        self.ctx.total = self.pending().count()
        last = 0
        while batch := list(self.pending().filter(pk__gt=last).order_by("pk")[:BATCH]):
            yield batch
            last = batch[-1].pk

    def work(self, batch: list[Face]) -> Result:
        faces, heads, problems = [], [], []
        for face in batch:
            try:
                heads.append(read_picture(self.store.read(face.crop), name=f"head of face {face.pk}").rgb)
                faces.append(face)
            except (OSError, UnreadablePicture) as error:
                problems.append(f"face {face.pk} has no description: its crop cannot be read: {error}")
        for face, vector in zip(faces, self.embedder.embed(heads)):
            face.embedding = packed(self.embedder, vector)
            face.embedding_version = self.version
        return Result(faces, problems)

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        for face in result.faces:
            # Only where the crop is still the one described: a person may have moved the box meanwhile.
            Face.objects.filter(pk=face.pk, crop=face.crop).update(
                embedding=face.embedding, embedding_version=self.version
            )
        self.ctx.count("faces", len(result.faces))
        return len(result.faces) + len(result.problems)
