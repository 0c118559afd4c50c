"""Two embedders beside each other: how far they agree on who is who, and a queue of the faces on which they do not."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate import jobs
from annotate.actions import faces as face_actions
from annotate.chosen_models.choices import offered
from annotate.evaluation import evaluation_jobs
from annotate.evaluation.on_collection.kinds import EMBEDDERS
from annotate.evaluation.on_collection.questions import faces_of, open_questions
from annotate.models import Character, Evaluation, Face
from annotate.views import plots
from annotate.views.faces import faces_shown
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Role, RunState
from ingest.params import as_int
from ingest.views.responses import errors_in_words, is_partial, success, toast

TASK = "embedding"


@member_view(write=Role.LEAD)
@errors_in_words
def compare_embedders(request: MemberRequest, collection: Collection) -> HttpResponse:
    """GET: the newest comparison of `first` and `second`, or of any two. POST: compare them now, or cancel that."""
    if request.method == "POST":
        return _change(request, collection)
    names = offered(TASK)
    first, second = _pair(request, collection, names)
    last, done = _rows(collection, first, second)
    waiting = last is not None and last.state in evaluation_jobs.WAITING
    if is_partial(request) and "progress" in request.GET:
        # At its end a link, not the page anew: somebody may be answering a question meanwhile.
        page_context = {"last": last, "waiting": waiting, "collection": collection}
        return render(request, "annotate/compare_embedders/progress.html", page_context)
    context: dict[str, Any] = {
        "section": "runs",
        "names": names,
        "first": first,
        "second": second,
        "comparable": first != second and first in names and second in names,
        "last": last,
        "waiting": waiting,
        "done": done,
        "collection": collection,
        "can_start": request.can_lead and collection.archived_at is None,
    }
    if done is not None:
        context |= _question(request, collection, done, skip=as_int(request.GET.get("skip")) or 0)
        if is_partial(request):
            return render(request, "annotate/compare_embedders/question.html", context)
        context |= {"plot": plots.of_embedders(done), "pairs": _pairs(collection, done)}
    return render(request, "annotate/compare_embedders.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def compare_embedders_answer(request: MemberRequest, collection: Collection) -> HttpResponse:
    """A person's word on one face: it is the character, or it is not; the next question follows."""
    row = get_object_or_404(
        Evaluation,
        collection=collection,
        kind=EMBEDDERS,
        state=RunState.DONE,
        pk=as_int(request.POST.get("comparison")),
    )
    face = get_object_or_404(Face, collection=collection, pk=next(iter(faces_shown(request)[0]), None))
    who = get_object_or_404(Character, collection=collection, pk=as_int(request.POST.get("character")))
    common: dict[str, Any] = {"collection": collection, "faces": [face], "character": who, "by": request.user}
    if request.POST.get("act") == "yes":
        version = as_int(request.POST.get("version"))
        done = face_actions.assign(seen=None if version is None else {face.pk: version}, **common)
    elif request.POST.get("act") == "no":
        done = face_actions.is_not(**common)
    else:
        raise BadInput("Answer yes or no.")
    if not is_partial(request):
        return success(request, done.summary, to=_address(collection, row.model, row.second), undo=True)
    context = _question(request, collection, row, skip=as_int(request.POST.get("skip")) or 0)
    context |= {"collection": collection, "done": row}
    return toast(render(request, "annotate/compare_embedders/question.html", context), done.summary, undo=True)


def _pair(request: HttpRequest, collection: Collection, names: list[str]) -> tuple[str, str]:
    """The two that are asked for, as far as they are here or were compared; else the newest comparison's two, else the
    first two that are here. The second may be missing; a compared one may not be installed any more.
    """
    first, second = request.GET.get("first", ""), request.GET.get("second", "")
    if first in names and second in names:
        return first, second
    rows = Evaluation.objects.filter(collection=collection, kind=EMBEDDERS)
    if first and second and _of(rows, first, second).exists():
        return first, second
    for embedder in (first, second):
        rows = rows.filter(Q(model=embedder) | Q(second=embedder)) if embedder in names else rows
    newest = rows.exclude(state__in=(RunState.FAILED, RunState.CANCELLED)).first() or rows.first()
    if newest is not None:
        return newest.model, newest.second
    first = next((name for name in (first, second) if name in names), names[0])
    return first, next((name for name in names if name != first), "")


def _rows(collection: Collection, first: str, second: str) -> tuple[Evaluation | None, Evaluation | None]:
    """The newest comparison of these two, and the newest that is done."""
    rows = Evaluation.objects.filter(collection=collection, kind=EMBEDDERS).select_related("by")
    rows = _of(rows, first, second)
    return rows.first(), rows.filter(state=RunState.DONE).first()


def _of(rows: QuerySet[Evaluation], first: str, second: str) -> QuerySet[Evaluation]:
    return rows.filter(Q(model=first, second=second) | Q(model=second, second=first))


def _change(request: HttpRequest, collection: Collection) -> HttpResponse:
    if request.POST.get("act") == "cancel":
        row = get_object_or_404(Evaluation, collection=collection, kind=EMBEDDERS, pk=as_int(request.POST.get("row")))
        evaluation_jobs.cancel(row)
        return success(request, "Comparison cancelled", to=_address(collection, row.model, row.second))
    first, second = request.POST.get("first", ""), request.POST.get("second", "")
    known = offered(TASK)
    if first not in known or second not in known:
        raise BadInput(f"Choose two of the installed embedders: {', '.join(known)}.")
    row = evaluation_jobs.ask_own(collection=collection, kind=EMBEDDERS, model=first, second=second, by=request.user)
    sent = jobs.wake()
    text = "Comparing" if sent else "Redis cannot be reached; the comparison is waiting"
    return success(request, text, to=_address(collection, first, second))


def _address(collection: Collection, first: str, second: str) -> str:
    values = urlencode({"first": first, "second": second})
    return f"{reverse('compare_embedders', args=[collection.pk])}?{values}"


def _question(request: MemberRequest, collection: Collection, row: Evaluation, *, skip: int) -> dict[str, Any]:
    left = open_questions(collection, row.scores.get("questions", []))
    index = min(skip, max(0, len(left) - 1))
    return {
        "question": left[index] if left else None,
        "left": len(left),
        "asked": len(row.scores.get("questions", [])),
        "skip": index,
        "can_edit": request.can_edit and collection.archived_at is None,
    }


def _pairs(collection: Collection, row: Evaluation) -> list[tuple[Face, Face, bool]]:
    """Pairs of faces that one groups and the other parts, as long as both are there."""
    stored = row.scores.get("pairs", [])
    faces = faces_of(collection, {key for pair in stored for key in pair[:2]})
    return [
        (faces[first_key], faces[two], by_first)
        for first_key, two, by_first in stored
        if first_key in faces and two in faces
    ]
