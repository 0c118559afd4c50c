"""Names for all faces without one, on the faces page: a dry run, its result to look through, and one operation."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from annotate import jobs
from annotate.actions import proposed_names
from annotate.actions.proposed_names import ProposedName
from annotate.chosen_models.embedder import comparison_of
from annotate.evaluation import evaluation_jobs
from annotate.evaluation.on_collection.kinds import NAMES
from annotate.models import Evaluation
from annotate.queries.figures import face_figures
from annotate.views.html_rows.proposal_rows import group_key, people_of, stored_names
from ingest import humane
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Role, RunState
from ingest.params import as_int
from ingest.stamp import stamp
from ingest.views.once import key_of
from ingest.views.responses import errors_in_words, is_partial, success

INLINE_MAX = 1000  # faces: compared within the request, in less than a second; more are a worker's
LEFT = "decided by somebody in the meantime and left as is"


@member_view(at_least=Role.REVIEWER)
@errors_in_words
def faces_rest(request: MemberRequest, collection: Collection) -> HttpResponse:
    """GET: how far the dry run `row` is, or its result. POST: start one, cancel it, dismiss it or apply its result."""
    if request.method != "POST":
        return _section(request, collection, latest(collection, request.GET.get("row")))
    action = request.POST.get("act")
    if action == "start":
        return _section(request, collection, _start(request, collection))
    row = _row(collection, request.POST.get("row"))
    if action == "cancel":
        evaluation_jobs.cancel(row)
        row.refresh_from_db()
        return _section(request, collection, row)
    if action == "dismiss" and row.state not in evaluation_jobs.WAITING:
        row.delete()
        return success(request, "Nothing was named", to=reverse("faces", args=[collection.pk]))
    if action == "apply":
        return _apply(request, collection, row)
    raise BadInput("Choose what to do with the suggested names.")


def rest_context(collection: Collection, row: Evaluation | None) -> dict[str, Any]:
    """What the section of the page needs; `rest` is None where there is no dry run."""
    context: dict[str, Any] = {"rest": row}
    if row is None:
        return context
    context["rest_waits"] = row.state in evaluation_jobs.WAITING
    if row.state == RunState.DONE:
        names = stored_names(row)
        people, changed = people_of(collection, names)
        context |= {
            "people": people,
            "proposed": sum(person.faces for person in people),
            "changed": changed,
            "unknown": row.scores.get("unknown", 0),
            "more": row.scores.get("more", 0),
        }
    return context


def latest(collection: Collection, text: str | None) -> Evaluation | None:
    """The dry run that the page was opened with, else one that is at work."""
    rows = Evaluation.objects.filter(collection=collection, kind=NAMES)
    pk = as_int(text)
    return rows.filter(pk=pk).first() if pk is not None else rows.filter(state__in=evaluation_jobs.WAITING).first()


def _row(collection: Collection, text: str | None) -> Evaluation:
    return get_object_or_404(Evaluation, collection=collection, kind=NAMES, pk=as_int(text) or 0)


def _section(request: MemberRequest, collection: Collection, row: Evaluation | None) -> HttpResponse:
    """The section of the page; without a row it is empty: somebody else applied or dismissed that."""
    if not is_partial(request):
        query = f"?{urlencode({'rest': row.pk})}" if row else ""
        return HttpResponseRedirect(reverse("faces", args=[collection.pk]) + query)
    context = {"collection": collection, "can_edit": True} | rest_context(collection, row)
    return render(request, "annotate/faces_rest.html", context)


def _start(request: HttpRequest, collection: Collection) -> Evaluation:
    comparison = comparison_of(collection)
    row = evaluation_jobs.ask_names(collection=collection, by=request.user)
    is_small = face_figures(collection, stamp(collection)).all <= INLINE_MAX
    if is_small and comparison is not None and comparison.metric is None:
        evaluation_jobs.execute(row.pk)
        row.refresh_from_db()
    else:
        jobs.wake()  # where Redis is away the row waits, and says so
    return row


def _apply(request: MemberRequest, collection: Collection, row: Evaluation) -> HttpResponse:
    """Name what was not left out; `out` and `as` are of faces, `out_group` and `as_group` of the groups shown."""
    out, out_groups = set(request.POST.getlist("out")), set(request.POST.getlist("out_group"))
    of_faces, of_groups = (_assigned(request, name) for name in ("as", "as_group"))
    names: list[ProposedName] = []
    assigned: dict[int, str] = {}
    for stored in stored_names(row):
        group = group_key(stored)
        if str(stored.face) in out or group in out_groups:
            continue
        names.append(ProposedName(stored.face, stored.version, stored.character, stored.confidence))
        if who := of_faces.get(str(stored.face)) or of_groups.get(group):
            assigned[stored.face] = who
    key = key_of(request)
    applied = proposed_names.apply(collection=collection, names=names, assigned=assigned, by=request.user, key=key)
    text = applied.operation.summary
    if applied.left_alone:
        verb = "was" if applied.left_alone == 1 else "were"
        text += f". {humane.count(applied.left_alone, 'face')} {verb} {LEFT}"
    row.delete()
    return success(request, text, to=reverse("faces", args=[collection.pk]), undo=True)


def _assigned(request: HttpRequest, name: str) -> dict[str, str]:
    """Names that a person gave instead, by the key of what they are for."""
    pairs = (text.partition(":") for text in request.POST.getlist(name))
    return {key: who for key, _, who in pairs if who.strip()}
