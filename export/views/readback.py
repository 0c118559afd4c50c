"""A dataset that a person re-sorted in its folder: what was moved, and one button that brings it back."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from export.actions.jobs import inside_exports
from export.models import ExportJob
from export.readback import applying as actions
from export.readback import comparing
from ingest import humane
from ingest.access import MemberRequest, member_view
from ingest.actions.seen import fingerprint
from ingest.errors import Conflict, KomaError
from ingest.models import Collection, Role
from ingest.views.responses import errors_in_words, seen, success

SHOWN_MAX = 300


@member_view(write=Role.REVIEWER)
@errors_in_words
def reread(request: MemberRequest, collection: Collection, job_id: int) -> HttpResponse:
    """Show what the folder says now; a POST names the faces accordingly (as this person's word, with undo)."""
    job = get_object_or_404(ExportJob, collection=collection, pk=job_id)
    here = reverse("export_reread", args=[collection.pk, job.pk])
    try:
        if not job.folder:
            raise KomaError("This export has no folder yet.")
        comparison = comparing.read_back(inside_exports(job.folder))
    except KomaError as error:
        context = {"section": "export", "job": job, "problem": error.message}
        return render(request, "export/reread.html", context)
    moves_shown = {"moved": sorted([row.path, *row.now] for row in comparison.moved)}
    if request.method == "POST":
        if seen(request) not in (None, fingerprint(moves_shown)):
            raise Conflict("The folders changed since this page was opened. Reload it and check again.")
        applied = actions.apply(collection=collection, moved=comparison.moved, by=request.user)
        text = f"{humane.count(applied.named, 'face')} named, {applied.unnamed:,} unnamed"
        if applied.placed:
            text += f", {humane.count(applied.placed, 'name')} of pictures without a face changed"
        if applied.open:
            text += f"; {len(applied.open):,} unclear and left as {'they are' if len(applied.open) != 1 else 'it is'}"
        return success(request, f"{text}.", to=here, undo=bool(applied.named or applied.unnamed or applied.placed))
    proposal = actions.propose(collection=collection, moved=comparison.moved)
    open_ = [*proposal.open, *comparison.open]
    waiting = {row.path for row in proposal.open}
    changed_paths = proposal.changed_paths
    moved = [row for row in comparison.moved if row.path in changed_paths and row.path not in waiting]
    context = {
        "section": "export",
        "job": job,
        "shown": moves_shown,
        "found": comparison,
        "faces": proposal.faces,
        "pictures": len({row.path for row in proposal.pictures}),
        "moved": moved[:SHOWN_MAX],
        "moved_count": len(moved),
        "done": sum(not row.is_crop and row.path not in changed_paths | waiting for row in comparison.moved),
        "new": sorted(proposal.new),
        "open": open_[:SHOWN_MAX],
        "open_count": len(open_),
        "shown_max": SHOWN_MAX,
    }
    return render(request, "export/reread.html", context)
