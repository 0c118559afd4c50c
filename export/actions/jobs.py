"""Start, cancel, resume and delete export jobs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from export.algorithms.filenames import PART, REPLACED, safe_name, unfinished_name
from export.algorithms.recipe import Recipe, parse
from export.models import ExportJob, Release
from ingest.errors import BadInput, Conflict, KomaError
from ingest.models import Collection, RunState
from ingest.pipeline import claims

NAME_MAX = 120
BUILDING = ".building"  # below KOMA_EXPORT_DIR; hidden, same disk as the finished folders


def start(*, collection: Collection, recipe: Recipe, name: str, by: Any, release: Release | None = None) -> ExportJob:
    """Create a queued build with a frozen recipe; the caller enqueues it on commit. Raises BadInput for a bad name.

    Of a `release` only the recipe's output is taken: everything else was frozen with it.
    """
    title = " ".join(name.split())
    if not title:
        raise BadInput("Enter a name for the dataset.")
    if len(title) > NAME_MAX:
        raise BadInput(f"The name is longer than {NAME_MAX} characters; choose a shorter one.")
    if release is not None:
        if release.collection_id != collection.pk or not release.file:
            raise BadInput(f"{release} is not frozen yet.")
        recipe = replace(parse(release.params), output=recipe.output)
    return ExportJob.objects.create(
        collection=collection, release=release, name=title, params=recipe.as_dict(), created_by=by
    )


def default_name(collection: Collection, recipe_name: str) -> str:
    """Return the name of a dataset that nobody named: the collection, the recipe and the day (UTC)."""
    day = f"{timezone.now():%Y-%m-%d}"
    names = f"{collection.name} {recipe_name}"[: NAME_MAX - len(day) - 1]
    return f"{names.rstrip()} {day}"


def cancel(job: ExportJob) -> None:
    """Request a build to stop; it stops within a few pictures, and its files are kept for a resume."""
    if not claims.cancel(job):
        raise Conflict(f"This export is {job.get_state_display()} already.")


def resume(job: ExportJob) -> None:
    """Queue a cancelled or failed build again; it continues where it stopped. The caller enqueues it on commit."""
    again = ExportJob.objects.filter(pk=job.pk, state__in=(RunState.CANCELLED, RunState.FAILED))
    if not again.update(state=RunState.QUEUED, cancel_requested=False, error="", token="", attempt=0, finished_at=None):
        raise Conflict("Only a cancelled or failed export can be resumed.")


def delete(job: ExportJob) -> None:
    """Delete a build permanently, with its folder and ZIP. A running one has to be stopped first."""
    with transaction.atomic():
        row = ExportJob.objects.select_for_update().get(pk=job.pk)
        if row.state == RunState.RUNNING:
            raise Conflict("This export is running. Stop it first.")
        row.delete()
    if row.folder:
        final, packed = inside_exports(row.folder), inside_exports(f"{row.folder}.zip")
        unfinished = ((final, REPLACED), (packed, PART))  # of a worker that was killed
        leftovers = [path.with_name(unfinished_name(path.name, ending)) for path, ending in unfinished]
        for path in (final, packed, *leftovers):
            _remove(path)


def remove_unfinished(job_id: int) -> None:
    """Delete what a build has written that was not moved into place; done as its row is deleted."""
    shutil.rmtree(building_folder(job_id), ignore_errors=True)  # a worker may write there for a moment more


def building_folder(job_id: int) -> Path:
    """Return the folder a job writes to before it is moved into place."""
    return Path(settings.KOMA_EXPORT_DIR) / BUILDING / str(job_id)


def final_folder(job: ExportJob) -> str:
    """Return the folder of a finished job relative to KOMA_EXPORT_DIR; unique by the job's number."""
    top = safe_name(f"{job.collection_id} {job.collection.name}")
    return f"{top}/{safe_name(job.name, limit_bytes=80)}-{job.pk}"


def inside_exports(path: str) -> Path:
    """Return an absolute path below KOMA_EXPORT_DIR. Raises KomaError if it would lie outside."""
    root = Path(settings.KOMA_EXPORT_DIR).resolve()
    full = (root / path).resolve()
    if not full.is_relative_to(root) or full == root:
        raise KomaError(f"{path!r} is outside the export folder; nothing was changed.")
    return full


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
