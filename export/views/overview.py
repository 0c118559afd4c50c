"""The overview of a collection: funnel, cast, what to do next, latest runs, latest changes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from annotate.models import Character
from annotate.queries.figures import face_figures, overview_figures
from annotate.views.faces import cast
from export.models import ExportJob
from ingest import humane
from ingest.access import MemberRequest, member_view
from ingest.humane import percent_of
from ingest.models import FINISHED, Collection, Episode, Operation, RunState
from ingest.models.run import number_newest
from ingest.pipeline import progress
from ingest.stamp import cached, stamp
from ingest.views.html_rows import dots
from ingest.views.responses import is_partial

RUNS_MAX = 5
CHANGES_MAX = 8
SECONDS_A_CLUSTER = 8  # to look at its faces and type a name; for "what to do next"


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the funnel; `share`: percent of the line above, None in the first."""

    label: str
    count: int
    url: str
    share: int | None


@member_view()
@require_safe
def overview(request: MemberRequest, collection: Collection) -> HttpResponse:
    """How far the collection is, who is in it, and what helps most now; refreshed by itself during a run."""
    if request.headers.get("HX-Target") == "run-now":
        return _run_now(request, collection)
    cache_stamp = stamp(collection)
    counts = _counts(collection, cache_stamp)
    latest = list(collection.runs.select_related("created_by")[:RUNS_MAX])
    number_newest(latest)
    lanes = progress.summaries(latest)
    runs = [{"run": run, "dots": dots((lane.label, lane.state) for lane in lanes[run.pk])} for run in latest]
    job = ExportJob.objects.filter(collection=collection, state=RunState.DONE).defer("params").first()
    context = {
        "section": "overview",
        "counts": counts,
        "funnel": _funnel(collection, counts, job),
        "cast": _cast(collection, cache_stamp),
        "cast_size": counts["characters"],
        "next": _next(collection, counts, job, lead=request.can_lead),
        "runs": runs,
        "changes": list(
            Operation.objects.filter(collection=collection)
            .order_by("-pk")
            .values("at", "by__username", "model", "summary", "undone_at")[:CHANGES_MAX]
        ),
        "latest_export": job,
        "is_running": any(not run.finished for run in latest),
    }
    template = "export/overview.html#progress" if is_partial(request) else "export/overview.html"
    return render(request, template, context)


def _run_now(request: HttpRequest, collection: Collection) -> HttpResponse:
    """What the open run does now, for empty pages that wait for it; the whole page anew once it has ended."""
    running = collection.runs.exclude(state__in=FINISHED).first()
    if running is None:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "partials/run_now_live.html", {"lane": progress.current_of([running])[running.pk]})


def _counts(collection: Collection, cache_stamp: str) -> dict[str, int]:
    """All figures of the page; kept until a person or a run writes something."""
    return cached("overview", cache_stamp, lambda: _counted(collection))


def _counted(collection: Collection) -> dict[str, int]:
    episodes = Episode.objects.filter(collection=collection).aggregate(
        episodes=Count("pk"), decoded=Sum("decoded"), unread=Count("pk", filter=Q(extracted_at__isnull=True))
    )
    characters = Character.objects.filter(collection=collection).count()
    values = {**episodes, **asdict(overview_figures(collection)), "characters": characters}
    return {name: int(value or 0) for name, value in values.items()}


def _funnel(collection: Collection, counts: dict[str, int], job: ExportJob | None) -> list[Step]:
    def frames(query: str) -> str:
        return (
            f"{reverse('frames', args=[collection.pk])}?{urlencode({'q': query})}"
            if query
            else (reverse("frames", args=[collection.pk]))
        )

    exported = int(job.counters.get("frames", job.total)) if job is not None else 0
    steps = [
        ("pictures decoded", counts["decoded"], reverse("episodes", args=[collection.pk])),
        ("different drawings", counts["distinct"], frames("state:all")),
        # Not before the stage that compares them has dropped some: the page also refreshes while a run is at work.
        ("kept, similar ones dropped" if counts["similar"] else "kept", counts["kept"], frames("")),
        ("with faces", counts["with_faces"], frames("faces:>=1")),
        ("with a name", counts["named_frames"], frames("is:named")),
        ("in the latest dataset", exported, reverse("exports", args=[collection.pk])),
    ]
    if not counts["decoded"]:
        del steps[0]  # pictures are not decoded from a film
    lines = []
    above: int | None = None
    for label, count, url in steps:
        lines.append(Step(label, count, url, None if above is None else min(100, percent_of(count, above))))
        above = count
    return lines


def _cast(collection: Collection, cache_stamp: str) -> list[dict[str, Any]]:
    """The characters with most faces; `n` faces, `share` percent of them named by a person."""
    figures = face_figures(collection, cache_stamp)
    return [
        {
            "pk": person.pk,
            "name": person.name,
            "portrait": person.portrait,
            "n": person.n,
            "share": percent_of(figures.by_person.get(person.pk, 0), person.n),
        }
        for person in cast(collection, cache_stamp)
    ]


def _next(collection: Collection, counts: dict[str, int], job: ExportJob | None, *, lead: bool) -> list[dict[str, Any]]:
    """What to do next, the most helpful first; at most three, each with its page."""
    steps: list[dict[str, Any]] = []
    running = collection.runs.exclude(state__in=FINISHED).first()
    if counts["episodes"] == 0 and lead:
        text = "Add a video or a folder of pictures."
        _add(steps, "Add episodes", text, "add_episodes", collection.pk)
    if running is not None:
        _add(steps, f"Watch run {running.number}", "", "run", collection.pk, running.pk)
        steps[-1] |= {"run": running, "lane": progress.current_of([running])[running.pk]}
    elif counts["unread"] and lead:
        text = f"{counts['unread']:,} of {counts['episodes']:,} episodes have no frames yet."
        _add(steps, "Start a run", text, "run_start", collection.pk)
    if counts["unnamed"] and counts["clusters"]:
        minutes = max(1, round(counts["clusters"] * SECONDS_A_CLUSTER / 60))
        text = (
            f"{humane.count(counts['unnamed'], 'face')} without a name, "
            f"{humane.count(counts['clusters'], 'group')}: about {humane.count(minutes, 'minute')}."
        )
        _add(steps, "Name faces", text, "faces", collection.pk)
    if counts["named_frames"] and job is None:
        text = f"{counts['named_frames']:,} frames show a named character; nothing has been exported yet."
        _add(steps, "Create a dataset", text, "export", collection.pk)
    return steps[:3]


def _add(steps: list[dict[str, Any]], button: str, text: str, name: str, *args: int) -> None:
    try:
        steps.append({"text": text, "button": button, "url": reverse(name, args=args)})
    except NoReverseMatch:
        steps.append({"text": text, "button": button, "url": ""})
