"""Faces of a face set for the export page: at once by Lanczos, and by the real model from a worker, cached."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from annotate.backends.contract import Upscaler
from annotate.backends.runtime.open_models import stamp_of_name
from annotate.backends.upscalers import known_upscalers
from annotate.backends.upscalers.resize import FILTERS, ResizeUpscaler
from export.algorithms.crops import Crop
from export.algorithms.parts import Part
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.algorithms.selection import Selection
from export.build import upscaling
from export.formats.pictures import Growth, picture_bytes
from export.models import FaceExample
from ingest.errors import KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import UnknownName
from ingest.models import Collection, RunState
from ingest.pipeline.claims import Kind, Reporter
from ingest.storage.stored_files import store

SHOWN = Selection(format="webp")
KEPT = 200  # rows per collection
TAKES_MAX_S = 600  # per face; a worker that takes longer hangs
ATTEMPTS_MAX = 2
PER_TURN = 12  # per collection, then the next one's turn
PATIENCE_S = 5  # then the page shows that it waits
WANTED_S = 30  # a face that no page requested for so long is dropped; pages poll about every second
OPEN = (RunState.QUEUED, RunState.RUNNING)


class FaceKind(Kind[FaceExample]):
    """Faces to be drawn. A cancelled one leaves no row."""

    def close(self, row: FaceExample, state: RunState, *, error: str = "", **values: Any) -> bool:
        """Close a face; a cancelled one can be requested again."""
        if state == RunState.CANCELLED:
            return bool(self.held(row).delete()[0])
        return super().close(row, state, error=error, **values)


FACES = FaceKind(
    FaceExample, noun="face", retry="press Retry", attempts_max=ATTEMPTS_MAX, step_max_s=TAKES_MAX_S
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExampleFace:
    """A face for the page: its two pictures as data URIs; `model` is "" until (or unless) the model's is ready."""

    part: Part
    resampled: str
    model: str
    state: str  # "" without a model, "none" before the request
    error: str
    waits: bool = False  # in a queue for some seconds
    by: str = ""  # the model


@dataclass(frozen=True, slots=True)
class FaceProgress:
    """How many faces of a page `model` has drawn. `waits`: no worker has started for some seconds."""

    model: str
    done: int
    failed: int
    total: int
    waits: bool

    @property
    def left(self) -> int:
        """Faces still to be drawn."""
        return self.total - self.done - self.failed


def progress_of(faces: Sequence[ExampleFace]) -> FaceProgress | None:
    """Return the progress; None where no face needs a model."""
    requested = [face for face in faces if face.state]
    if not requested:
        return None
    states = [face.state for face in requested]
    return FaceProgress(
        model=requested[0].by,
        done=sum(bool(face.model) for face in requested),
        failed=states.count(RunState.FAILED),
        total=len(requested),
        waits=RunState.RUNNING not in states and any(face.waits for face in requested),
    )


def by_model(collection: Collection, recipe: Recipe) -> str:
    """The upscaler of a recipe where it is a model and not a resampling filter; else ""."""
    name = upscaling.name_of(collection, recipe)
    return "" if name in FILTERS else name


def example_faces_of(collection: Collection, recipe: Recipe, parts: Sequence[Part]) -> list[ExampleFace]:
    """Return the parts (each with a crop) with the pictures that are ready. Requests nothing."""
    if not parts:
        return []
    upscaler = upscaling.name_of(collection, recipe)
    name = "" if upscaler in FILTERS else upscaler
    digests = [digest_of(params_of(part, name)) if name and part.passes else "" for part in parts]
    rows = {
        row.digest: row for row in FaceExample.objects.filter(collection=collection, digest__in=set(digests) - {""})
    }
    examples, now = [], timezone.now()
    for part, digest in zip(parts, digests, strict=True):
        row = rows.get(digest)
        done = row is not None and row.state == RunState.DONE and row.data is not None
        examples.append(
            ExampleFace(
                part=part,
                resampled=plain_picture(part, filtered=upscaler),
                model=_uri(bytes(row.data)) if row is not None and done else "",  # type: ignore[arg-type]
                state=(row.state if row is not None else "none") if digest else "",
                error=row.error if row is not None else "",
                by=name,
                waits=row is not None
                and row.state == RunState.QUEUED
                and row.asked_at < now - timedelta(seconds=PATIENCE_S),
            )
        )
    return examples


def ask(collection: Collection, recipe: Recipe, parts: Iterable[Part], *, again: bool = False) -> bool:
    """Queue the faces that the model has not drawn yet, with `again` also failed ones; True when there are new ones.

    Waiting faces of this collection that no page has requested since WANTED_S are dropped: a moved slider leaves no
    queue behind, and two people on the page do not drop each other's faces.
    """
    name = by_model(collection, recipe)
    params_by_digest = {
        digest_of(params): params for part in parts if name and part.passes and (params := params_of(part, name))
    }
    rows = FaceExample.objects.filter(collection=collection)
    now = timezone.now()
    recent = now - timedelta(seconds=WANTED_S)
    rows.filter(digest__in=params_by_digest).update(wanted_at=now, cancel_requested=False)
    rows.filter(state=RunState.QUEUED, wanted_at__lt=recent).delete()
    rows.filter(state=RunState.RUNNING, wanted_at__lt=recent).update(cancel_requested=True)
    known_digests = set(rows.filter(digest__in=params_by_digest).values_list("digest", flat=True))
    fresh = [
        FaceExample(collection=collection, digest=digest, params=params, asked_at=now, wanted_at=now)
        for digest, params in params_by_digest.items()
        if digest not in known_digests
    ]
    FaceExample.objects.bulk_create(fresh, ignore_conflicts=True)  # the same page open twice
    failed = rows.filter(digest__in=params_by_digest, state=RunState.FAILED)
    count = failed.update(state=RunState.QUEUED, error="", attempt=0, asked_at=now) if again else 0
    old = rows.exclude(state__in=OPEN).order_by("-wanted_at", "-pk").values_list("pk", "wanted_at")[KEPT:]
    FaceExample.objects.filter(pk__in=[pk for pk, asked_at in old if asked_at < recent]).delete()
    return bool(fresh or count)


def draw(collection_id: int, *, in_worker: bool = False) -> int:
    """Draw the waiting faces of a collection, the most recently requested first, at most a page; returns their number.

    The upscaler is opened once for all of them.
    """
    opened: dict[str, Upscaler | KomaError] = {}
    drawn = 0
    for pk in _waiting(collection_id).values_list("pk", flat=True)[:PER_TURN]:
        row = FACES.claim(pk)
        if row is not None:
            drawn += FACES.run(row, partial(_work, row, opened), in_worker=in_worker) == RunState.DONE
    return drawn


def next_collection() -> int | None:
    """The collection whose faces are drawn next."""
    chosen = FACES.next_of(FACES.waiting(), party="collection")
    row = None if chosen is None else FACES.rows().filter(pk=chosen).first()  # it may be gone
    return None if row is None else row.collection_id


def _waiting(collection_id: int) -> QuerySet[FaceExample]:
    return FACES.waiting().filter(collection=collection_id).order_by("-wanted_at", "pk")


def _work(row: FaceExample, opened: dict[str, Upscaler | KomaError], report: Reporter[FaceExample]) -> dict[str, bytes]:
    return {"data": _drawn(row.params, opened)}


def plain_picture(part: Part, *, filtered: str = known_upscalers.DEFAULT) -> str:
    """Return a data URI of the face by a filter (Lanczos instead of a model); empty when the picture is gone."""
    enlarge = ResizeUpscaler(filtered if filtered in FILTERS else known_upscalers.DEFAULT)
    try:
        return _uri(_bytes(part, enlarge))
    except KomaError:
        return ""


def params_of(part: Part, upscaler: str) -> dict[str, Any]:
    """Return all that affects how a face is drawn, as JSON values."""
    assert part.crop is not None
    crop = part.crop
    return {
        "upscaler": upscaler,
        "stamp": [list(entry) for entry in stamp_of_name(upscaler, settings.KOMA_MODELS_DIR)],
        "file": part.picture.source,
        "crop": [crop.left, crop.top, crop.side],
        "border": crop.border,
        "passes": part.passes,
        "size": list(part.size or ()),
    }


def digest_of(params: dict[str, Any]) -> str:
    """Return the key of a row."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


def _drawn(params: dict[str, Any], opened: dict[str, Upscaler | KomaError]) -> bytes:
    name = params["upscaler"]
    if name not in opened:
        try:
            opened[name] = known_upscalers.open_upscaler(name, settings.KOMA_MODELS_DIR)
        except KomaError as error:
            opened[name] = error
    upscaler = opened[name]
    if isinstance(upscaler, KomaError):
        raise upscaler
    picture = Picture(key="", stem="", file=params["file"], width=0, height=0)  # its size is that of the file
    left, top, side = params["crop"]
    crop = Crop(left, top, side, picture, border=params["border"])
    return _bytes(Part(picture, crop, params["passes"], tuple(params["size"])), upscaler)


def _bytes(part: Part, enlarge: Upscaler) -> bytes:
    """Return the same picture as in an export, but as WebP. Raises KomaError where the stored picture is gone."""
    try:
        rgb = read_picture(store().read(part.picture.source), name=part.picture.source).rgb
    except (FileNotFoundError, UnknownName, UnreadablePicture) as error:
        raise KomaError(f"The stored picture cannot be read: {error}") from error
    grow = (lambda picture: enlarge.upscale(picture, times=part.passes)) if part.passes else None
    return picture_bytes(rgb, SHOWN, part.crop, Growth(grow, part.size), encoding="webp")


def _uri(data: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(data).decode('ascii')}"
