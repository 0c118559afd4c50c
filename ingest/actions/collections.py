"""Create, rename, archive and delete collections."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ingest import counting
from ingest.actions import history
from ingest.actions.seen import changed, last_by
from ingest.errors import BadInput, Conflict
from ingest.imaging.names import plain_text
from ingest.models import FINISHED, Collection, CollectionLimits, Membership, PipelineRun, Role
from ingest.pipeline.registry import stages
from ingest.pipeline.settings import complete_settings, saved_settings
from ingest.storage import stored_files
from ingest.storage.stored_files import store

NAME_CHARS_MAX = 200


def create(*, name: str, by: Any) -> Collection:
    """Create a collection with its creator as admin. Raises BadInput for an empty name or one that `by` uses already.

    Collections of site admins (and of commands, `by` None) see the whole video library, those of others none of it.
    """
    clean = _clean(name)
    with transaction.atomic():
        if by is not None and Collection.objects.visible_to(by).filter(name=clean).exists():
            raise BadInput(f"You already have a collection called {clean}. Choose another name.")
        collection = Collection.objects.create(name=clean)
        if by is not None:
            Membership.objects.create(collection=collection, user=by, role=Role.ADMIN)
        CollectionLimits.objects.create(collection=collection, all_folders=by is None or by.is_superuser)
        with history.operation(collection=collection, by=by, kind="collections.create", summary=f"{clean} created"):
            pass
    return collection


def rename(*, collection: Collection, name: str, by: Any, seen: str | None = None) -> Collection:
    """Rename a collection. Raises Stale where somebody did so since the page with the fingerprint `seen` was opened."""
    clean = _clean(name)
    with history.operation(
        collection=collection, by=by, kind="collections.rename", summary=f"{collection.name} renamed to {clean}"
    ) as record:
        row = record.collection
        before = history.snapshot(row, names=["name"])
        changed(seen, now=before, new={"name": clean}, who=last_by(row, names=["name"]), what="the name")
        row.name = collection.name = clean
        row.save(update_fields=["name"])
        record.changed(row, before=before)
    return row


def run_settings(collection: Collection) -> dict[str, Any]:
    """The default settings of a collection's runs, by `stage.setting`; the stage's own where it has none."""
    values: dict[str, Any] = {}
    for name, stage in stages().items():
        defaults = stage.params_type(**saved_settings(stage, collection.run_defaults))
        values |= {f"{name}.{field.name}": getattr(defaults, field.name) for field in fields(stage.params_type)}
    return values


def keep_run_settings(*, collection: Collection, params: dict[str, Any], by: Any, seen: str | None = None) -> None:
    """Save the settings of a run as the collection's defaults; `params` by stage, validated before.

    Raises Stale where somebody changed the same settings since the page with the fingerprint `seen` was opened.
    """
    params = {name: complete_settings(stages()[name], values) for name, values in params.items()}
    if _with(collection.run_defaults, params) == collection.run_defaults:
        return
    with history.operation(
        collection=collection, by=by, kind="collections.run_settings", summary="run settings changed"
    ) as record:
        row = record.collection  # as it is now: two who keep settings of different stages keep both
        before, now = history.snapshot(row, names=["run_defaults"]), run_settings(row)
        flat = {f"{stage}.{name}": value for stage, values in params.items() for name, value in values.items()}
        to_write = changed(
            seen, now=now, new={name: value for name, value in flat.items() if name in now},
            who=last_by(row, names=["run_defaults"]), what="the run settings",
        )  # fmt: skip
        merged = {
            stage: values
            | {name: now[key] for name in values if (key := f"{stage}.{name}") in now and key not in to_write}
            for stage, values in params.items()
        }
        row.run_defaults = collection.run_defaults = _with(row.run_defaults, merged)
        row.save(update_fields=["run_defaults"])
        record.changed(row, before=before)


def _with(defaults: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    return {stage: values for stage, values in (defaults | params).items() if values}


def archive(*, collection: Collection, archived: bool, by: Any) -> Collection:
    """Archive a collection, or restore it; nothing is deleted. Raises Conflict while a run is unfinished."""
    word = "archived" if archived else "restored from the archive"
    with history.operation(
        collection=collection, by=by, kind="collections.archive", summary=f"{collection.name} {word}"
    ):
        if archived:
            _check_no_runs(collection)
        collection.archived_at = timezone.now() if archived else None
        collection.save(update_fields=["archived_at"])
    return collection


def delete(*, collection: Collection, typed_name: str, by: Any) -> int:
    """Delete a collection with all rows, uploads and stored files; `typed_name` must be its name.

    Files of the video library and exported datasets are kept. Returns how many stored files were deleted. Raises
    BadInput for a wrong name, Conflict while a run is unfinished.
    """
    if " ".join(typed_name.split()) != " ".join(collection.name.split()):
        raise BadInput(f"The name you typed doesn't match {collection.name}. Nothing was deleted.")
    pk = collection.pk
    with transaction.atomic():
        # Takes turns with the start of a run; stronger than `hold`, so that nothing new points to the row meanwhile.
        Collection.objects.select_for_update().get(pk=pk)
        _check_no_runs(collection)
        names = stored_files.names_of({"collection": collection})
        uploads = list(collection.uploads.values_list("pk", flat=True))
        collection.delete()
        counting.forget(pk)
    data = Path(settings.KOMA_DATA_DIR)
    for folder in (data / "sources" / str(pk), *(data / "uploads" / str(upload) for upload in uploads)):
        shutil.rmtree(folder, ignore_errors=True)
    return stored_files.remove_unused(store(), names)


def _check_no_runs(collection: Collection) -> None:
    if PipelineRun.objects.filter(collection=collection).exclude(state__in=FINISHED).exists():
        raise Conflict(f"A run is working on {collection.name}. Cancel it and wait until it stops.")


def _clean(name: str) -> str:
    clean = plain_text(name, bytes_max=NAME_CHARS_MAX * 4)
    if not clean:
        raise BadInput("Give the collection a name.")
    if len(clean) > NAME_CHARS_MAX:
        raise BadInput(f"The name is longer than {NAME_CHARS_MAX} characters.")
    return clean
