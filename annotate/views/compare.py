"""Two models beside each other: how far they agree, and a queue of the questions on which they do not."""

from __future__ import annotations

from itertools import combinations
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db.models import Max
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotate.actions import tags
from annotate.chosen_models.choices import offered
from annotate.chosen_models.tasks import TASKS
from annotate.evaluation import agreement
from annotate.models import ModelAnswer, ModelVersion
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection, Frame, Role
from ingest.params import as_int
from ingest.stamp import cached, stamp
from ingest.views.responses import errors_in_words, is_partial, success, toast

KEEP_S = 600
PEOPLE = "people"  # in place of a second version: the tags on which people had the last word
ROWS = 60
SHOWN_APART = 60


@member_view()
def compare(request: MemberRequest, collection: Collection) -> HttpResponse:
    """The page: `first` and `second` are versions of one task; without them the first two that can be compared."""
    candidates = _candidates(collection)
    people = request.GET.get("second") == PEOPLE
    first = as_int(request.GET.get("first"))
    pair = _pair(candidates, first, first if people else as_int(request.GET.get("second")))
    context: dict[str, Any] = {"section": "runs", "candidates": candidates, "pair": pair, "people": people}
    if pair is not None:
        context["is_alone"] = sum(candidate.task == pair[0].task for candidate in candidates) == 1
    if pair is not None and people:
        context["rows"] = _against_people(collection, get_object_or_404(ModelVersion, pk=pair[0].version))
    elif pair is not None and pair[0].version != pair[1].version:
        context |= _compared(request, collection, pair)
    if is_partial(request) and "told" not in context:
        raise Http404("These models have no question here.")
    if is_partial(request):
        return render(request, "annotate/compare/question.html", context | {"collection": collection})
    if "told" not in context:
        context["installed"] = _others(pair)
        context["can_run"] = request.can_lead and collection.archived_at is None
    return render(request, "annotate/compare.html", context)


@member_view(at_least=Role.REVIEWER)
@require_POST
@errors_in_words
def compare_answer(request: MemberRequest, collection: Collection) -> HttpResponse:
    """A person's word on one question; the next question follows."""
    frame = get_object_or_404(Frame, collection=collection, pk=as_int(request.POST.get("frame")))
    name, action = request.POST.get("name", ""), request.POST.get("act", "")
    if action not in ("yes", "no") or not name:
        raise BadInput("Answer yes or no.")
    done = tags.answer(collection=collection, frame=frame, name=name, yes=action == "yes", by=request.user)
    pair = _pair(_candidates(collection), as_int(request.POST.get("first")), as_int(request.POST.get("second")))
    if pair is None:
        raise Http404("These models have no answers here.")
    values = {"first": pair[0].version, "second": pair[1].version, "label": request.POST.get("label", "")}
    if not is_partial(request):
        return success(
            request, done.summary, to=f"{reverse('compare', args=[collection.pk])}?{urlencode(values)}", undo=True
        )
    context = _compared(request, collection, pair) | {"collection": collection, "pair": pair}
    return toast(render(request, "annotate/compare/question.html", context), done.summary, undo=True)


def _others(pair: tuple[agreement.Candidate, agreement.Candidate] | None) -> list[str]:
    """Installed models that could answer next: for the task of the one that has answered, else for any task."""
    if pair is None:
        return [name for task in TASKS.values() if task.answers for name in task.offered()]
    return [name for name in offered(pair[0].task) if name not in pair[0].name.split()] if pair[0].task in TASKS else []


def _candidates(collection: Collection) -> list[agreement.Candidate]:
    """Counted anew when an answer was added anywhere: counting a large collection's takes long."""
    key = f"answers:{collection.pk}:{ModelAnswer.objects.aggregate(newest=Max('pk'))['newest']}"
    candidates: list[agreement.Candidate] | None = cache.get(key)
    if candidates is None:
        candidates = agreement.candidates(collection)
        cache.set(key, candidates, KEEP_S)
    return candidates


def _against_people(collection: Collection, version: ModelVersion) -> list[agreement.Row]:
    """Kept until a person or a run writes."""
    name = f"against-people:{version.pk}"
    return cached(name, stamp(collection), lambda: agreement.against_people(collection, version))[:ROWS]


def _pair(
    candidates: list[agreement.Candidate], first: int | None, second: int | None
) -> tuple[agreement.Candidate, agreement.Candidate] | None:
    """The two asked for; else the first two of one task, else one alone with itself. None when nothing answered yet.

    Raises Http404 for versions without answers here, or of two tasks.
    """
    by_key = {candidate.version: candidate for candidate in candidates}
    if first is not None and second is not None:
        if first not in by_key or second not in by_key or by_key[first].task != by_key[second].task:
            raise Http404("These two cannot be compared here.")
        return by_key[first], by_key[second]
    for candidate, two in combinations(candidates, 2):
        if candidate.task == two.task:
            return candidate, two
    return (candidates[0], candidates[0]) if candidates else None


def _compared(
    request: MemberRequest, collection: Collection, pair: tuple[agreement.Candidate, agreement.Candidate]
) -> dict[str, Any]:
    form = request.POST if request.method == "POST" else request.GET
    versions = ModelVersion.objects.in_bulk([pair[0].version, pair[1].version])
    first, second = versions[pair[0].version], versions[pair[1].version]
    # Answers are written once: the newest of them tells whether what was compared is still all.
    newest = ModelAnswer.objects.filter(model_version__in=versions, frame__collection=collection).aggregate(m=Max("pk"))
    key = f"compare:{collection.pk}:{first.pk}:{second.pk}:{newest['m']}:{pair[0].frames}:{pair[1].frames}"
    comparison: agreement.Comparison | None = cache.get(key)
    if comparison is None:
        comparison = agreement.compare(collection, first, second)
        cache.set(key, comparison, KEEP_S)
    label = form.get("label", "")
    left = agreement.open_questions(collection, comparison, label=label)
    skip = min(as_int(form.get("skip")) or 0, max(0, len(left) - 1))
    question = left[skip] if left else None
    frames = Frame.objects.filter(collection=collection).select_related("episode")
    differences = [difference for difference in comparison.differences if label in ("", difference.label)][:SHOWN_APART]
    frames_shown = frames.in_bulk(
        {difference.frame for difference in differences} | ({question.frame} if question else set())
    )
    return {
        "told": comparison,
        "rows": comparison.rows[:ROWS],
        "rows_left": max(0, len(comparison.rows) - ROWS),
        "label": label,
        "question": question,
        "question_frame": frames_shown.get(question.frame) if question else None,
        "skip": skip,
        "left": len(left),
        "apart": [
            (difference, frames_shown[difference.frame])
            for difference in differences
            if difference.frame in frames_shown
        ],
        "can_edit": request.can_edit and collection.archived_at is None,
    }
