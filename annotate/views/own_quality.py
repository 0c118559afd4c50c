"""Quality on a collection's own truth: measure models on what people said in it, for its members alone."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate import jobs
from annotate.chosen_models.choices import offered
from annotate.evaluation import evaluation_jobs
from annotate.evaluation.on_collection import characters, faces
from annotate.evaluation.on_collection.kinds import OWN_KINDS
from annotate.evaluation.on_collection.questions import faces_of
from annotate.models import Evaluation, ModelAnswer
from annotate.views import plots
from annotate.views.figure_words import in_words
from annotate.views.quality import SHOWN, change, mistake_boxes
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Role, RunState
from ingest.params import as_int
from ingest.stamp import cached, stamp
from ingest.views.responses import errors_in_words, is_partial, success

ELSEWHERE = [kind.name for kind in OWN_KINDS.values() if kind.has_page]


@member_view(write=Role.LEAD)
@errors_in_words
def collection_quality(request: MemberRequest, collection: Collection) -> HttpResponse:
    """GET: what people have said so far, what was measured on it, and a form. POST: measure."""
    if request.method == "POST":
        return _ask(request, collection)
    rows = list(_rows(collection)[:SHOWN])
    context: dict[str, Any] = {
        "section": "runs",
        "rows": rows,
        "waiting": any(row.state in evaluation_jobs.WAITING for row in rows),
        "plots": plots.side_by_side([row for row in rows if row.state == RunState.DONE]),
        "collection": collection,
        "can_start": request.can_lead and collection.archived_at is None,
    }
    if is_partial(request):
        return render(request, "annotate/own_quality.html#measured", context)
    complete, named = _truth(collection)
    context |= {
        "complete": complete,
        "named": named,
        "tagged": ModelAnswer.objects.filter(frame__collection=collection, model_version__task="tags").exists(),
        "kinds": [
            (kind, offered(kind.task), _lacking(kind.name, complete, named))
            for kind in OWN_KINDS.values()
            if not kind.has_page
        ],
    }
    return render(request, "annotate/own_quality.html", context)


@member_view()
def collection_evaluation(request: MemberRequest, collection: Collection, evaluation_id: int) -> HttpResponse:
    """One measurement: figures, plot, the worst mistakes with the frames where they were made."""
    row = get_object_or_404(_rows(collection).select_related("by"), pk=evaluation_id)
    context = {
        "section": "runs",
        "row": row,
        "figures": in_words(row.scores),
        "plot": plots.of_one(row),
        "mistakes": _mistakes(collection, row),
        "can_start": request.can_lead and collection.archived_at is None,
    }
    return render(request, "annotate/own_evaluation.html", context)


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def collection_evaluation_change(request: HttpRequest, collection: Collection, evaluation_id: int) -> HttpResponse:
    """Cancel a measurement, measure the same again, or delete it."""
    row = get_object_or_404(_rows(collection), pk=evaluation_id)
    return success(request, change(row, request), to=reverse("collection_quality", args=[collection.pk]))


def _rows(collection: Collection) -> Any:
    return Evaluation.objects.filter(collection=collection).exclude(kind__in=ELSEWHERE)


def _ask(request: HttpRequest, collection: Collection) -> HttpResponse:
    kind, model = request.POST.get("kind", ""), request.POST.get("model", "")
    if kind not in OWN_KINDS or kind in ELSEWHERE:
        raise BadInput("Choose what to measure: faces or characters.")
    known = offered(OWN_KINDS[kind].task)
    if model not in known:
        raise BadInput(f"There is no model {model!r} for {kind}. Choose one of: {', '.join(known)}.")
    lacking = _lacking(kind, *_truth(collection))
    if lacking:
        raise BadInput(lacking)
    evaluation_jobs.ask_own(collection=collection, kind=kind, model=model, by=request.user)
    sent = jobs.wake()
    text = f"Measuring {kind} of {model}" + ("" if sent else ". Redis cannot be reached; it is waiting")
    return success(request, text, to=reverse("collection_quality", args=[collection.pk]))


def _truth(collection: Collection) -> tuple[faces.Complete, tuple[int, int]]:
    """What people have said so far: complete frames; named faces and their characters. Kept until somebody writes."""
    cache_stamp = stamp(collection)
    complete = cached("complete-frames", cache_stamp, lambda: faces.complete(collection))
    return complete, cached("named-faces", cache_stamp, lambda: _named(collection))


def _lacking(kind: str, complete: faces.Complete, named: tuple[int, int]) -> str:
    """Why a kind cannot be measured yet, and what to do; empty where it can."""
    if kind == "faces":
        return "" if complete.frames else faces.NOTHING
    return "" if named[1] > 1 else characters.NOTHING


def _named(collection: Collection) -> tuple[int, int]:
    """How many faces people named, of how many characters, whatever their outfit."""
    rows = characters.named_faces(collection).order_by()
    who = Coalesce("character__parent_id", "character_id")
    counts = rows.aggregate(faces=Count("pk"), people=Count(who, distinct=True))
    return counts["faces"], counts["people"]


def _mistakes(collection: Collection, row: Evaluation) -> list[dict[str, Any]]:
    """The stored mistakes whose frame (and face) is still there, with those rows."""
    frames = Frame.objects.filter(collection=collection).select_related("episode")
    frames_by_key = frames.in_bulk({as_int(str(mistake.get("frame"))) or 0 for mistake in row.mistakes})
    known = faces_of(collection, {as_int(str(mistake.get("face"))) or 0 for mistake in row.mistakes} - {0})
    mistakes = []
    for mistake in row.mistakes:
        frame, face = frames_by_key.get(mistake.get("frame")), known.get(mistake.get("face"))
        if frame is not None and (face is not None or not mistake.get("face")):
            mistakes.append(mistake | {"row": frame, "seen": face, "boxes": mistake_boxes(mistake)})
    return mistakes
