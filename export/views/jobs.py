"""The list of datasets with their progress; stop, resume, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from export import jobs
from export.actions import jobs as actions
from export.models import ExportJob
from export.views import html_rows
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import FINISHED, Collection, Role, RunState
from ingest.views.html_rows import form_fields
from ingest.views.responses import errors_in_words, success

PAGE = 40


@member_view()
@require_safe
def exports(request: MemberRequest, collection: Collection) -> HttpResponse:
    """All datasets of the collection, newest first; the list polls itself while one is being written."""
    rows = list(
        ExportJob.objects.filter(collection=collection).select_related("created_by").defer("params")[: PAGE + 1]
    )
    root = Path(settings.KOMA_EXPORT_DIR)
    # The path of the server concerns only those who run it.
    shown_root = root.resolve() if getattr(request.user, "is_superuser", False) else None
    entries = [_entry(job, root, shown_root) for job in rows[:PAGE]]
    here = reverse("exports", args=[collection.pk])
    lead = request.can_lead
    context = {
        "section": "export",
        "sets": html_rows.sets(entries, base=here, token=form_fields(request), lead=lead),
        "busy": any(not entry["finished"] for entry in entries),
        "more": len(rows) > PAGE,
        "root": shown_root,
    }
    template = "export/exports.html#list" if request.headers.get("HX-Target") == "exports" else "export/exports.html"
    return render(request, template, context)


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def job_change(request: HttpRequest, collection: Collection, job_id: int) -> HttpResponse:
    """Stop, resume or delete, chosen by the button; deleting asks for a tick first."""
    job = get_object_or_404(ExportJob, collection=collection, pk=job_id)
    to = reverse("exports", args=[collection.pk])
    if "cancel" in request.POST:
        actions.cancel(job)
        return success(request, "Stopping. Pictures written so far are kept for Resume.", to=to)
    if "resume" in request.POST:
        actions.resume(job)
        transaction.on_commit(lambda: jobs.wake() and None)
        return success(request, "Resuming.", to=to)
    if "delete" in request.POST:
        if "sure" not in request.POST:
            raise BadInput("Tick “permanently” first; folder and ZIP can’t be restored.")
        actions.delete(job)
        return success(request, f"“{job.name}” deleted with its folder and ZIP.", to=to)
    raise BadInput("Nothing was chosen.")


def _entry(job: ExportJob, root: Path, shown_root: Path | None) -> dict[str, Any]:
    phase = job.counters.get("phase", "")
    percent = 100 * job.done // job.total if job.total else 0
    if phase == "packing":
        percent = int(job.counters.get("packed_percent", 0))
    gone = job.state == RunState.DONE and bool(job.folder) and not (root / job.folder).is_dir()
    return {
        "job": job,
        "phase": phase,
        "percent": 100 if job.state == RunState.DONE else min(99, percent),
        "finished": job.state in FINISHED,
        "left_out": sum(job.counters.get("left_out", {}).values()),
        "gone": gone,
        "folder": str(shown_root / job.folder) if shown_root else job.folder,
    }
