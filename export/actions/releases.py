"""Freeze releases, and delete them."""

from __future__ import annotations

import re
from typing import Any

from django.db import transaction
from django.db.models import Max

from export.actions.jobs import NAME_MAX
from export.algorithms.recipe import Recipe
from export.models import ExportJob, Release
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.locking import hold
from ingest.models import Collection, RunState
from ingest.pipeline import claims
from ingest.storage import stored_files

NOTES_MAX = 20_000
_VERSION = re.compile(r"\s+v?\d+$", re.IGNORECASE)


def start(*, collection: Collection, recipe: Recipe, name: str, notes: str, by: Any) -> Release:
    """Create a release that waits to be frozen, as the next version of its name. Raises BadInput for a bad name."""
    title = " ".join(name.split())
    if not title:
        raise BadInput("Enter a name for the release, for example “yama-s2”.")
    if len(title) > NAME_MAX:
        raise BadInput(f"The name is longer than {NAME_MAX} characters; choose a shorter one.")
    if _VERSION.search(title):
        raise BadInput("Leave the version out of the name: it is counted, v1, v2 and so on.")
    if len(notes) > NOTES_MAX:
        raise BadInput(f"The notes are longer than {NOTES_MAX:,} characters.")
    with transaction.atomic():
        hold(collection)
        return Release.objects.create(
            collection=collection,
            name=title,
            number=next_number(collection, title),
            notes=notes.strip(),
            params=recipe.as_dict(),
            created_by=by,
        )


def next_number(collection: Collection, name: str) -> int:
    """Return the version that a release of this name would get."""
    last = Release.objects.filter(collection=collection, name=name).aggregate(last=Max("number"))["last"]
    return int(last or 0) + 1


def cancel(release: Release) -> None:
    """Stop freezing. Raises Conflict if it has ended."""
    if not claims.cancel(release):
        raise Conflict(f"This release is {release.get_state_display()} already.")


def resume(release: Release) -> None:
    """Freeze again what failed or was cancelled; the caller enqueues it on commit."""
    again = Release.objects.filter(pk=release.pk, state__in=(RunState.CANCELLED, RunState.FAILED))
    if not again.update(state=RunState.QUEUED, cancel_requested=False, error="", token="", attempt=0, finished_at=None):
        raise Conflict("Only a cancelled or failed release can be frozen again.")


def delete(release: Release, *, reason: str, by: Any) -> None:
    """Delete a release for ever, with the stored files that only it needs; noted in the history with its reason.

    Raises Conflict while it is being frozen or an export of it exists.
    """
    why = f": {reason.strip()}" if reason.strip() else ""
    with history.operation(
        collection=release.collection, by=by, kind="release.delete", summary=f"Release {release} deleted{why}"
    ):
        row = Release.objects.select_for_update().get(pk=release.pk)
        if row.state == RunState.RUNNING:
            raise Conflict("This release is being frozen. Stop it first.")
        if ExportJob.objects.filter(release=row).exists():
            raise Conflict("Delete the exports of this release first.")
        names = {row.file, *row.pictures.values_list("file", flat=True)} - {""}
        row.delete()
        transaction.on_commit(lambda: stored_files.remove_unused(stored_files.store(), names))
