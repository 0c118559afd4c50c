"""Runs: start, watch, cancel, resume; the progress ring in the top bar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from ingest import humane, jobs
from ingest.access import member_view
from ingest.actions import estimates
from ingest.actions import runs as actions
from ingest.actions.collections import keep_run_settings, run_settings
from ingest.errors import BadInput
from ingest.models import FINISHED, Collection, Episode, PipelineRun, Role, RunState, SkippedInput, StageRun
from ingest.models.run import number_newest, with_number
from ingest.params import as_ints
from ingest.pipeline import progress
from ingest.pipeline.registry import stages
from ingest.views.html_rows import dots
from ingest.views.responses import errors_in_words, seen, success
from ingest.views.run_form import posted_params, stage_fields

PAGE = 30
RESULTS = ("kept", "duplicates", "faces", "tags", "named")  # counters of stages
SKIPPED_MAX = 200
WORKERS_BEGIN = timedelta(seconds=15)  # within seconds, also on a busy machine
OPEN_ROWS_MAX = 4  # a stage over more episodes shows its rows one stage at a time


@member_view()
def runs(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The list of runs, newest first, with a progress bar each."""
    rows = list(collection.runs.select_related("created_by")[:PAGE])
    number_newest(rows)
    summaries = progress.summaries(rows)
    entries = [
        {
            "run": row,
            "dots": dots((lane.label, lane.state) for lane in summaries[row.pk]),
            "percent": estimates.outlook(row, summaries[row.pk]).percent,
            "episodes": max((lane.number for lane in summaries[row.pk]), default=0),
            "seconds": (row.finished_at - row.created_at).total_seconds() if row.finished_at else None,
            "results": _results(row),
        }
        for row in rows
    ]
    return render(request, "ingest/runs.html", {"section": "runs", "entries": entries})


def _results(run: PipelineRun) -> list[tuple[str, int]]:
    """What the run's finished stages counted, by what a reader of the list looks for, each as its first stage says."""
    order = {name: place for place, name in enumerate(stages())}  # PostgreSQL keeps no order of JSON keys
    by_stage = sorted((run.tallies or {}).items(), key=lambda entry: order.get(entry[0], len(order)))
    tallies = [tally for _, tally in by_stage]
    counted = {name: next((t["counters"][name] for t in tallies if t["counters"].get(name)), 0) for name in RESULTS}
    return [(name, n) for name, n in counted.items() if n]


@member_view()
def run(request: HttpRequest, collection: Collection, number: int) -> HttpResponse:
    """One run: a lane per stage, its log, skipped inputs. htmx polls the lanes until the run has ended.

    `?lane=` shows the rows of a stage over many episodes.
    """
    row = _numbered(collection, number)
    run_lanes = progress.lanes(row, opened=request.GET.get("lane", ""), few_max=OPEN_ROWS_MAX)
    shown_stages = [stage for lane in run_lanes for stage in lane.rows or ()]
    logs = dict(row.stages.filter(pk__in=[stage.pk for stage in shown_stages]).order_by().values_list("pk", "log"))
    if not getattr(request.user, "is_superuser", False):
        for stage in [*shown_stages, *(stage for lane in run_lanes for stage in lane.failed)]:
            stage.error = _without_folders(stage.error)
        logs = {key: _without_folders(log) for key, log in logs.items()}
    is_poll = request.headers.get("HX-Target") == "lanes"
    context = {
        "section": "runs",
        "run": row,
        "lanes": [
            {
                "lane": lane,
                "counters": dict(sorted(lane.counters.items(), key=lambda entry: -entry[1])),
                "device": ", ".join(sorted({name.partition(" (")[0] for name in lane.devices.split(", ") if name})),
                "is_folded": lane.state in (RunState.DONE, RunState.WAITING) and not lane.failed,
                "rows": None if lane.rows is None else [(stage, logs.get(stage.pk, "")) for stage in lane.rows],
            }
            for lane in run_lanes
            if not _is_idle(lane)
        ],
        "idle": [lane.label for lane in run_lanes if _is_idle(lane)],
        "outlook": estimates.outlook(row, run_lanes),
        "is_poll": is_poll,
        "lane_shown": request.GET.get("lane", ""),
        "skipped": _skipped(collection, row),
        "waits_for_worker": _waits(row, run_lanes),
    }
    template = "ingest/run.html#lanes" if is_poll else "ingest/run.html"
    return render(request, template, context)


def _numbered(collection: Collection, number: int) -> PipelineRun:
    row = with_number(collection.runs.select_related("created_by"), number)
    if row is None:
        raise Http404("There is no such run.")
    return row


def _is_idle(lane: progress.Lane) -> bool:
    return lane.state == RunState.DONE and not lane.units


def _without_folders(text: str) -> str:
    """The text without paths of the server's folders: only site admins see where files are."""
    places = [*settings.KOMA_LIBRARY_DIRS, settings.KOMA_DATA_DIR, settings.KOMA_MODELS_DIR, settings.KOMA_EXPORT_DIR]
    folders = {str(path) for folder in places for path in (folder, Path(folder).resolve())}
    for folder in sorted(folders, key=len, reverse=True):  # the inner one first
        text = text.replace(f"{folder.rstrip('/')}/", "")
    return text


def _skipped(collection: Collection, run: PipelineRun) -> QuerySet[SkippedInput]:
    """Skipped inputs of the run's episodes; lazy, since a poll does not show them."""
    stage_runs = StageRun.objects.filter(run=run, episode=OuterRef("episode"))
    return collection.skipped_inputs.filter(Exists(stage_runs)).select_related("episode")[:SKIPPED_MAX]


def _waits(row: PipelineRun, run_lanes: list[progress.Lane]) -> bool:
    """True when something of the run is queued, and nothing has been running for longer than workers take to begin."""
    states = {state for lane in run_lanes for state in lane.states}
    if RunState.QUEUED not in states or RunState.RUNNING in states:
        return False
    last_end = row.stages.aggregate(at=Max("finished_at"))["at"]
    return timezone.now() - (last_end or row.created_at) > WORKERS_BEGIN


@member_view()
def work(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The running work in the top bar: ring, percent, time left. Polls itself while something runs."""
    row = collection.runs.exclude(state__in=FINISHED).first()
    context: dict[str, Any] = {"run": row}
    if row is not None:
        summary = progress.summaries([row])[row.pk]
        context["outlook"] = estimates.outlook(row, summary)
        context["lane"] = progress.current(summary)
        context["others"] = collection.runs.exclude(state__in=FINISHED).count() - 1
    return render(request, "partials/work.html", context)


@member_view(at_least=Role.LEAD)
@errors_in_words
def start(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Choose episodes, stages and settings; the estimate is shown before anything starts."""
    if request.method != "POST":
        return render(request, "ingest/run_start.html", _start_context(request, collection))
    chosen = Episode.objects.filter(collection=collection, pk__in=as_ints(request.POST.getlist("episode")))
    if not chosen:
        raise BadInput("Choose at least one episode.")
    with transaction.atomic():  # where the settings cannot be kept nothing is started either
        row = actions.start(
            collection=collection,
            episodes=list(chosen),
            by=request.user,
            stage_names=request.POST.getlist("stage") or None,
            params=posted_params(request.POST),
        )
        if "keep" in request.POST:
            keep_run_settings(collection=collection, params=row.params, by=request.user, seen=seen(request))
    call_workers()
    text = f"Run {row.number} started on {humane.count(len(chosen), 'episode')}."
    return success(request, text, to=reverse("run", args=[collection.pk, row.number]))


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection, number: int) -> HttpResponse:
    """Cancel or resume, by the button's name."""
    row = _numbered(collection, number)
    to = reverse("run", args=[collection.pk, number])
    if "cancel" in request.POST:
        actions.cancel(row, by=request.user)
        return success(request, "Stopping. Saved work is kept.", to=to)
    if "resume" in request.POST:
        actions.resume(row, by=request.user)
        call_workers()
        return success(request, "Resuming.", to=to)
    raise BadInput("Nothing was chosen.")


def call_workers() -> None:
    """Wake the workers after the commit; while Redis is down, the sweep does so later."""
    transaction.on_commit(lambda: jobs.wake() and None)


def _start_context(request: HttpRequest, collection: Collection) -> dict[str, Any]:
    chosen = set(as_ints(request.GET.getlist("episode")))
    busy = set(
        StageRun.objects.filter(run__collection=collection)
        .exclude(run__state__in=FINISHED)
        .values_list("episode_id", flat=True)
    )
    episodes = list(collection.episodes.select_related("source"))
    proposed = {e.pk for e in episodes if e.pk not in busy and (e.extracted_at is None or len(episodes) == 1)}
    choices = [
        {
            "name": name,
            "label": stage.label,
            "about": stage.about,
            "ticked": stage.by_default(),
            "params": stage_fields(stage, collection),
        }
        for name, stage in stages().items()
        if stage.is_offered
    ]
    return {
        "section": "runs",
        "settings_shown": run_settings(collection),
        "episodes": episodes,
        "chosen": chosen or proposed,
        "busy": busy,
        "stages": choices,
        "ticked": [choice["label"] for choice in choices if choice["ticked"]],
    }
