"""The demo collection: its episode and the run that draws it, and their progress in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import QuerySet

from ingest import jobs
from ingest.actions import runs, sources
from ingest.errors import BadInput
from ingest.models import FINISHED, Collection, Episode, Membership, PipelineRun, Role, RunState
from ingest.pipeline.progress import lanes
from ingest.pipeline.registry import stages
from project.demo_stage import FILE_NAME, SECONDS, SIZE, DrawDemo, film_path

COLLECTION_NAME = "Demo"
FOLLOW_EVERY_S = 1.0

Report = Callable[[str], None]


def is_due() -> bool:
    """True on a site without collections, and while the demo's first run has not ended."""
    if Episode.objects.exclude(pk__in=_episodes()).exists():
        return False
    demo_run = PipelineRun.objects.order_by("pk").first()
    return not Collection.objects.exists() if demo_run is None else demo_run.state not in FINISHED


def start() -> PipelineRun:
    """Create the collection, the episode and a run that begins with drawing it, or return the run that there is."""
    with transaction.atomic():
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            raise BadInput("There is no admin yet: run `manage.py create_admin NAME` first.")
        episode = _episodes().order_by("pk").first()
        if episode is None:
            # Its own, whatever is called Demo already: that may be somebody's.
            collection = Collection.objects.create(name=COLLECTION_NAME)
            Membership.objects.create(collection=collection, user=admin, role=Role.ADMIN)
            about = sources.About(licence_note="Drawn by Koma itself; free to use.")
            episode = sources.register_unwritten(
                collection=collection, path=film_path(), by=admin, about=about, duration_s=SECONDS, size=SIZE
            )
        run = PipelineRun.objects.filter(stages__episode=episode).order_by("-pk").first()
        if run is None:
            names = [name for name, stage in stages().items() if stage.by_default()]
            run = runs.start(
                collection=episode.collection, episodes=[episode], by=admin, stage_names=[DrawDemo.name, *names]
            )
    jobs.wake()
    return run


def follow(run: PipelineRun, *, report: Report) -> RunState | None:
    """Report the progress of drawing, and when each stage starts and its results, until the run ends.

    Returns how it ended; None where it was deleted, with its collection or its episode.
    """
    reported: set[tuple[str, str]] = set()
    while True:
        try:
            run.refresh_from_db()
        except PipelineRun.DoesNotExist:
            report("The demo was deleted before it was ready.")
            return None
        for lane in lanes(run):
            quarter = f"{lane.percent // 25 * 25} %" if lane.name == DrawDemo.name else ""
            state = quarter if quarter and lane.state == "running" else lane.state
            if lane.state in ("running", "done", "failed") and (lane.name, state) not in reported:
                reported.add((lane.name, state))
                report(f"  {lane.label}: {state}{_came_out(lane.counters)}")
        if run.finished:
            is_done = run.state == RunState.DONE
            report("The demo episode is ready. Name its faces next." if is_done else f"The demo run is {run.state}.")
            return RunState(run.state)
        connection.close()
        time.sleep(FOLLOW_EVERY_S)


def _episodes() -> QuerySet[Episode]:
    return Episode.objects.filter(collection__name=COLLECTION_NAME, source__name=FILE_NAME)


def _came_out(counters: dict[str, Any]) -> str:
    parts = [f"{n} {name.replace('_', ' ')}" for name, n in counters.items() if n]
    return f" ({', '.join(parts)})" if parts else ""
