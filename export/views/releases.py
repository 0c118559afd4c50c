"""Releases: the list, and the page of one with its figures; freezing again, building in a format, deleting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from export import jobs
from export.actions import jobs as job_actions
from export.actions import releases as actions
from export.algorithms import format_names
from export.algorithms.figures import STEP_NAMES
from export.algorithms.recipe import RecipeError, parse
from export.formats.registry import FORMATS
from export.models import ExportJob, Release
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.humane import percent_of
from ingest.models import FINISHED, Collection, Role
from ingest.storage.stored_files import open_stored
from ingest.views.responses import errors_in_words, success

ROWS_MAX = 12  # of a plot
RELEASES_MAX = 100
PLOTS = (
    ("characters", "Characters"),
    ("face_sizes", "Face height in pixels"),
    ("episodes", "Episodes"),
    ("sides", "Shorter side in pixels"),
    ("aspects", "Aspect ratio"),
    ("tokens", "Caption length in tokens (estimate)"),
    ("tags", "Tags"),
)


@dataclass(frozen=True, slots=True)
class PlotRow:
    """A bar: its name, count, and length in percent of the longest."""

    name: str
    count: int
    percent: int


@member_view()
@require_safe
def releases(request: MemberRequest, collection: Collection) -> HttpResponse:
    """All releases of the collection, newest first; the list reloads itself while one is being frozen."""
    rows = Release.objects.filter(collection=collection).select_related("created_by").defer("params")[:RELEASES_MAX]
    context = {"section": "export", "releases": rows, "busy": any(row.state not in FINISHED for row in rows)}
    template = "export/releases.html#list" if request.headers.get("HX-Target") == "releases" else "export/releases.html"
    return render(request, template, context)


@member_view(write=Role.LEAD)
@errors_in_words
def release(request: MemberRequest, collection: Collection, release_id: int) -> HttpResponse:
    """One release; leads build it in a format, freeze it again after a failure, stop or delete it."""
    row = get_object_or_404(Release.objects.select_related("created_by"), collection=collection, pk=release_id)
    if request.method == "POST":
        return _change(request, collection, row)
    builds = ExportJob.objects.filter(release=row).defer("params")[:ROWS_MAX]
    context = {
        "section": "export",
        "release": row,
        "plots": [(label, rows) for name, label in PLOTS if (rows := _plot(row.counters, name))],
        "said_by": [(label, _bars(counts)) for label, counts in row.counters.get("said_by", {}).items() if counts],
        "builds": builds,
        "formats": [(name, FORMATS[name].label) for name in format_names.NAMES],
        "frozen": bool(row.file),
        "busy": row.state not in FINISHED,
    }
    return render(request, "export/release.html", context)


@member_view()
@require_safe
def release_manifest(request: HttpRequest, collection: Collection, release_id: int) -> HttpResponseBase:
    """The manifest as a file: gzip of JSON lines."""
    row = get_object_or_404(Release, collection=collection, pk=release_id)
    file = open_stored(row.file) if row.file else None
    if file is None:
        raise Http404("This release is not frozen yet.")
    return FileResponse(file, as_attachment=True, filename=f"{row}.jsonl.gz", content_type="application/gzip")


def _change(request: HttpRequest, collection: Collection, row: Release) -> HttpResponse:
    here = reverse("release", args=[collection.pk, row.pk])
    action = request.POST.get("act", "")
    if action == "build":
        try:
            output = parse({"output": {"layout": request.POST.get("layout", "")}})
        except RecipeError as error:
            raise BadInput(str(error)) from error
        job_actions.start(collection=collection, recipe=output, name=str(row), by=request.user, release=row)
        transaction.on_commit(lambda: jobs.wake() and None)
        return success(request, f"{row} is being built.", to=reverse("exports", args=[collection.pk]))
    if action == "cancel":
        actions.cancel(row)
        return success(request, "Stopping.", to=here)
    if action == "retry":
        actions.resume(row)
        transaction.on_commit(lambda: jobs.wake() and None)
        return success(request, "Freezing again.", to=here)
    if action == "delete":
        if "sure" not in request.POST:
            raise BadInput("Tick “permanently” first; a release can’t be restored.")
        actions.delete(row, reason=request.POST.get("reason", ""), by=request.user)
        return success(request, f"Release “{row}” deleted.", to=reverse("releases", args=[collection.pk]))
    raise BadInput("Nothing was chosen.")


def _plot(counters: dict[str, Any], name: str) -> list[PlotRow]:
    return _bars(counters.get("figures", {}).get(name, {}), order=STEP_NAMES.get(name, ()))


def _bars(counts: dict[str, int], *, order: Sequence[str] = ()) -> list[PlotRow]:
    """The bars of a plot, in this order of names (the database keeps none), else the highest first."""
    highest = sorted(counts.items(), key=lambda row: (-row[1], row[0]))[:ROWS_MAX]
    rows = [(name, counts.get(name, 0)) for name in order] or highest
    longest = max((count for _, count in rows), default=0)
    return [PlotRow(name, count, percent_of(count, longest)) for name, count in rows] if longest else []
