"""Undo, and the list of changes."""

from __future__ import annotations

import json

from django.contrib import messages
from django.db.models import Case, Exists, F, OuterRef, QuerySet, Subquery, When
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from ingest.access import MemberRequest, member_view
from ingest.actions import history
from ingest.models import Collection, Operation, Revision, Role
from ingest.params import as_int
from ingest.views import html_rows
from ingest.views.responses import came_from, errors_in_words, is_partial, toast

PAGE = 60
FIELDS = ("pk", "at", "by_id", "by__username", "model", "summary", "undone_at", "undoes_id", "has_rows", "frame")


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def undo(request: MemberRequest, collection: Collection, operation_id: int | None = None) -> HttpResponse:
    """Undo the user's last operation, or the given one (their own; leads may undo anybody's).

    With `place`, the last one that this page is about. A page that sends `stays` gets the event `undone` with the key
    of the undo and updates itself; any other is reloaded, or left where the undo removed what it is about.
    """
    place = request.POST.get("place", "")
    if operation_id is None:
        done = history.undo_last(collection=collection, by=request.user, place=place)
    else:
        rows = Operation.objects.filter(collection=collection)
        if not request.can_lead:
            rows = rows.filter(by_id=request.user.pk)
        done = history.undo(get_object_or_404(rows, pk=operation_id), by=request.user)
    if is_partial(request) and "stays" in request.POST:
        response = HttpResponse(status=204)
        response.headers["HX-Trigger"] = json.dumps({"undone": {"operation": done.operation.pk}})
        return toast(response, done.words)
    messages.success(request, done.words)
    home = history.home_of_removed(collection, place)
    to = reverse(home, args=[collection.pk]) if home else ""
    if is_partial(request):
        response = HttpResponse(status=204)
        if to:
            response.headers["HX-Redirect"] = to
        else:
            response.headers["HX-Refresh"] = "true"  # what was undone may be anywhere on the page
        return response
    return HttpResponseRedirect(to or came_from(request))


@member_view()
def history_page(request: MemberRequest, collection: Collection) -> HttpResponse:
    """The changes, newest first, paged by key."""
    changed = Exists(Revision.objects.filter(operation=OuterRef("pk")))  # a film that was added has none
    rows = Operation.objects.filter(collection=collection).annotate(has_rows=changed)
    before = as_int(request.GET.get("before"))
    if before is not None:
        rows = rows.filter(pk__lt=before)
    operations = list(_with_frame(rows).values_list(*FIELDS, named=True)[: PAGE + 1])
    lead = request.can_lead
    context = {
        "section": "overview",
        "changes": html_rows.changes(
            operations[:PAGE],
            undo=reverse("undo", args=[collection.pk]),
            frame_base=reverse("frame", args=[collection.pk, 0]).removesuffix("0/"),
            token=html_rows.form_fields(request),
            may_undo=lambda row: row.has_rows and (lead or row.by_id == request.user.pk),
        ),
        "next": operations[PAGE - 1].pk if len(operations) > PAGE else None,
    }
    return render(request, "ingest/history.html", context)


def _with_frame(rows: QuerySet[Operation]) -> QuerySet[Operation]:
    """The operations, each with the key of the only frame that it changed, or None. Reads a few rows of each."""
    of_frames = Revision.objects.filter(operation=OuterRef("pk"), frame_id__isnull=False).order_by()
    has_another = Exists(of_frames.exclude(frame_id=OuterRef("first_frame")))
    return rows.alias(first_frame=Subquery(of_frames.values("frame_id")[:1])).annotate(
        frame=Case(When(has_another, then=None), default=F("first_frame"))
    )
