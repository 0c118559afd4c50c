"""One collection with a row of everything, a second one beside it, and the list of all addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connection, transaction
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from annotate.models import (
    Caption,
    Character,
    CharacterAlias,
    Evaluation,
    Face,
    FaceCluster,
    FrameTag,
    ModelVersion,
    NamedBy,
    ReferencePicture,
    Tag,
)
from export.algorithms.recipe import Recipe
from export.models import ExportJob, Release
from export.models import Recipe as RecipeRow
from ingest.actions import history
from ingest.imaging.encode import PictureFormat, encode
from ingest.models import (
    Collection,
    Episode,
    Frame,
    Invitation,
    Membership,
    PipelineRun,
    Role,
    Shot,
    SkippedInput,
    Source,
    StageRun,
    Upload,
)
from ingest.storage.stored_files import store
from tests.conftest import make_user

NAME = "Tiny show"


@dataclass
class World:
    """A collection; `rows` has the row that each parameter of an address means."""

    collection: Collection
    rows: dict[str, Any]
    frames: list[Frame]
    faces: list[Face]

    def address(self, name: str, *, rows: dict[str, Any] | None = None) -> str:
        """The address of this name in this collection; its other parameters from `rows` (default: our own)."""
        values = rows or self.rows
        keys = [key for key in parameters(name) if key != "collection_id"]
        arguments = {key: values[key] if isinstance(values[key], str) else values[key].pk for key in keys}
        if "collection_id" in parameters(name):
            arguments["collection_id"] = self.collection.pk
        return reverse(name, kwargs=arguments)


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every address of the site but those of the admin site."""
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLPattern):
            yield entry
        elif entry.namespace is None:
            yield from patterns(entry)


PATTERNS = {pattern.name: pattern for pattern in patterns()}


def parameters(name: str) -> list[str]:
    return list(PATTERNS[name].pattern.converters)


def picture(shade: int) -> str:
    import numpy as np

    return store().put(encode(np.full((18, 32, 3), shade, np.uint8), PictureFormat("png")), "png")


def build(collection: Collection, owner: User, *, shade: int, text: str = "") -> World:
    """Rows of every kind; `text` stands in every field that people or files fill, as an old backup might bring it."""
    word = text or f"word {shade}"
    source = Source.objects.create(
        collection=collection, kind="video", name=f"{word}.mkv"[:400], path=f"x/{shade}.mkv", uploaded=True,
        sha256=f"{shade:064d}", licence_note=word,
    )  # fmt: skip
    episode = Episode.objects.create(
        collection=collection, source=source, title=word[:300], series=word[:200], number=word[:20], duration_s=9,
        warnings=[word],
    )  # fmt: skip
    shot = Shot.objects.create(episode=episode, index=0, start_s=0, end_s=9)
    frames = [
        Frame.objects.create(
            collection=collection, episode=episode, shot=shot, index=n, width=32, height=18, time_s=n, end_s=n + 0.5,
            name=word[:400], file=picture(shade + n), preview=picture(shade + n), face_count=1, tagged=True,
        )
        for n in range(3)
    ]  # fmt: skip
    Frame.objects.create(
        collection=collection, episode=episode, shot=shot, index=9, width=32, height=18, preview=picture(shade),
        state="dropped", reason="duplicate", duplicate_of=frames[0], distance=0.01,
    )  # fmt: skip
    model = ModelVersion.objects.create(task="faces", name=word[:100], revision=str(shade))
    person = Character.objects.create(collection=collection, name=word[:200])
    Character.objects.create(collection=collection, name=f"{word[:190]} outfit", parent=person)
    CharacterAlias.objects.create(collection=collection, character=person, name=f"{word[:190]} alias")
    ReferencePicture.objects.create(
        collection=collection, character=person, sha256=f"{shade:064d}", crop=picture(shade)
    )
    cluster = FaceCluster.objects.create(collection=collection, number=1, size=2, purity=0.9, guess=person)
    faces = [
        Face.objects.create(
            collection=collection, frame=frame, left=0.1, top=0.1, right=0.4, bottom=0.6, model_version=model,
            cluster=cluster, crop=picture(shade + 50 + n), character=person if n == 2 else None,
            named_by=NamedBy.MODEL if n == 2 else NamedBy.NONE, confidence=0.7 if n == 2 else None,
        )
        for n, frame in enumerate(frames)
    ]  # fmt: skip
    tag, _ = Tag.objects.get_or_create(name=word[:200])
    for frame in frames:
        FrameTag.objects.create(frame=frame, tag=tag, score=0.8, model_version=model)
    Caption.objects.create(frame=frames[0], text=word, by=owner)
    SkippedInput.objects.create(collection=collection, episode=episode, name=word[:400], reason=word)
    run = PipelineRun.objects.create(
        collection=collection, state="failed", code_version="1", finished_at=timezone.now(), created_by=owner
    )
    StageRun.objects.create(
        run=run, episode=episode, stage="extract", order=0, queue="cpu", state="failed", log=word, error=word
    )
    job = ExportJob.objects.create(
        collection=collection, name=word[:120], params=Recipe().as_dict(), state="failed", error=word, warnings=[word],
        created_by=owner,
    )  # fmt: skip
    with history.operation(collection=collection, by=owner, kind="tags.edit", summary=word) as record:
        record.created(FrameTag.objects.first(), frame_id=frames[0].pk)
    rows: dict[str, Any] = {
        "episode_id": episode,
        "frame_id": frames[0],
        "face_id": faces[0],
        "cluster_id": cluster,
        "character_id": person,
        "number": str(run.number),
        "job_id": job,
        "release_id": Release.objects.create(
            collection=collection, name=word[:120], number=1, params=Recipe().as_dict(), state="failed", error=word,
            notes=word, warnings=[word], created_by=owner, counters={"figures": {"characters": {word: 1}}},
        ),
        "recipe_id": RecipeRow.objects.create(collection=collection, name=word[:120], params=Recipe().as_dict()),
        "upload_id": Upload.objects.create(
            collection=collection, user=owner, key=f"k{shade}", name=f"{word}.mkv"[:400], size_bytes=9
        ),
        "invitation_id": Invitation.objects.create(
            collection=collection, token_sha256=f"{shade:064d}", created_by=owner,
            expires_at=timezone.now() + timezone.timedelta(days=1),
        ),
        "member_id": Membership.objects.create(
            collection=collection, user=make_user(f"member{shade}"), role=Role.VIEWER
        ),
        "operation_id": record.operation,
        "evaluation_id": Evaluation.objects.create(
            collection=collection, kind="faces", model=word[:100], state="done", by=owner, error=word, notes=[word],
            scores={"model": word}, mistakes=[{"pictures": [word], "words": word, "frame": frames[0].pk, "face": 0}],
        ),
        "name": frames[0].file,
    }  # fmt: skip
    return World(collection, rows, frames, faces)


@pytest.fixture()
def world(collection: Collection, alice: User) -> World:
    cache.clear()
    return build(collection, alice, shade=10)


@pytest.fixture()
def other(world: World, alice: User) -> World:
    """A second collection, of which alice is admin as well."""
    other = Collection.objects.create(name="Other show")
    Membership.objects.create(collection=other, user=alice, role=Role.ADMIN)
    return build(other, alice, shade=120)


@contextmanager
def taken_back() -> Iterator[None]:
    """Whatever is written inside is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@contextmanager
def writes() -> Iterator[list[str]]:
    """Collects every statement that changes a row."""
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")):
            statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield statements


def fingerprint() -> dict[str, list[Any]]:
    """Every row of every table but sessions."""
    return {
        model._meta.label: list(model._default_manager.order_by("pk").values_list())
        for model in apps.get_models()
        if model._meta.app_label in ("auth", "ingest", "annotate", "export", "project")
        and model._meta.label != "auth.Permission"
    }


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
