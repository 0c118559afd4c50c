"""Computes the vector of each face's and reference picture's head from the crop in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from annotate.actions.model_versions import version_of
from annotate.backends.embedders.known_embedders import packed
from annotate.backends.runtime.onnx_session import AUTO, DEVICES
from annotate.chosen_models.embedder import embedder_of
from annotate.models import Face, ReferencePicture
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.pipeline.contract import Context, Stage
from ingest.storage.stored_files import store

BATCH = 64
DEVICE = {
    "label": "Device",
    "help": "auto uses the GPU if it works; cuda requires it",
    "choices": [(device, device) for device in DEVICES],
}


@dataclass(slots=True)
class EmbedParams:
    """`device` is where the embedder runs; the embedder itself is the collection's choice on the models page."""

    device: str = field(default=AUTO, metadata=DEVICE)

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise ValueError(f"device must be one of {', '.join(DEVICES)}, not {self.device!r}")


Described = Face | ReferencePicture


@dataclass(frozen=True, slots=True)
class Result:
    """Faces or reference pictures with their packed vectors, and the problems of those whose crop cannot be read."""

    rows: list[Described]
    problems: list[str]


class Embed(Stage[list[Described], Result]):
    """Faces and reference pictures without a vector of this version, such as after a change of embedder."""

    name: ClassVar[str] = "embed"
    label: ClassVar[str] = "Analyze faces"
    about: ClassVar[str] = "Computes a vector per face for grouping and recognition."
    queue: ClassVar[str] = "gpu"
    params_type: ClassVar[type] = EmbedParams

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        embedder = embedder_of(ctx.collection, models=ctx.models, device=ctx.params.device)
        self.is_enabled = embedder is not None
        if embedder is None:
            return
        self.embedder = embedder
        self.version = version_of(self.embedder.info)
        self.store = store()
        ctx.device = self.embedder.device

    def pending(self) -> QuerySet[Face]:
        """Faces of kept frames with a crop and without a vector of this version."""
        faces = Face.objects.real().filter(collection=self.ctx.collection, frame__state="kept").exclude(crop="")
        if self.ctx.episode is not None:
            faces = faces.filter(frame__episode=self.ctx.episode)
        current = Q(embedding__isnull=False, embedding_version=self.version)
        return faces.exclude(pk__in=faces.filter(current).values("pk"))

    def references(self) -> QuerySet[ReferencePicture]:
        """Reference pictures of the collection without a vector of this version."""
        rows = ReferencePicture.objects.filter(collection=self.ctx.collection).exclude(crop="")
        current = rows.filter(embedding__isnull=False, embedding_version=self.version)
        return rows.exclude(pk__in=current.values("pk"))

    def batches(self) -> Iterator[list[Described]]:
        self.ctx.total = self.pending().count() + self.references().count()
        kinds: tuple[Callable[[], QuerySet[Any]], ...] = (self.references, self.pending)
        for pending in kinds:
            last = 0
            while batch := list(pending().filter(pk__gt=last).order_by("pk")[:BATCH]):
                yield [*batch]
                last = batch[-1].pk

    def work(self, batch: list[Described]) -> Result:
        rows: list[Described] = []
        heads, problems = [], []
        for row in batch:
            self.ctx.alive()
            what = "face" if isinstance(row, Face) else "reference picture"
            try:
                heads.append(read_picture(self.store.read(row.crop), name=f"head of {what} {row.pk}").rgb)
                rows.append(row)
            except (OSError, UnreadablePicture) as error:
                problems.append(f"{what} {row.pk} has no description: its crop cannot be read: {error}")
        for row, vector in zip(rows, self.embedder.embed(heads)):
            row.embedding = packed(self.embedder, vector)
        return Result(rows, problems)

    def save(self, result: Result) -> int:
        for problem in result.problems:
            self.ctx.count("unreadable")
            self.ctx.log(problem)
        for row in result.rows:
            # Only if the crop is unchanged: a person may have moved the box meanwhile.
            same = type(row)._default_manager.filter(pk=row.pk, crop=row.crop)
            same.update(embedding=row.embedding, embedding_version=self.version)
            self.ctx.count("faces" if isinstance(row, Face) else "references")
        return len(result.rows) + len(result.problems)
