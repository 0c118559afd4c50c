"""The demo collection: draws its episode, adds it, starts a run and reports its progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from demo_film.film import draw_episode
from ingest import jobs
from ingest.actions import runs, sources
from ingest.errors import BadInput
from ingest.models import Collection, Episode, Membership, PipelineRun, Role
from ingest.pipeline.progress import lanes

COLLECTION_NAME = "Demo"
FILE_NAME = "[Koma] Demo Show - 01 [720p].mp4"
SEED = 1
FOLLOW_EVERY_S = 1.0

Report = Callable[[str], None]


def is_due() -> bool:
    """True on an empty site, and where an earlier start was stopped before the demo's run was created."""
    demo_episodes = Episode.objects.filter(collection__name=COLLECTION_NAME, source__name=FILE_NAME)
    return not PipelineRun.objects.exists() and not Episode.objects.exclude(pk__in=demo_episodes).exists()


def start(*, report: Report) -> PipelineRun:
    """Draw the episode if its file is missing, add it, start its run. Safe to repeat after a stop."""
    video: Path = settings.KOMA_DATA_DIR / "demo" / FILE_NAME
    if not video.is_file():
        report("Drawing the demo episode ...")
        video.parent.mkdir(parents=True, exist_ok=True)
        draw_episode(video, seed=SEED, progress=_report_quarters(report))
    report(f"Ingesting {video.name} ...")
    with transaction.atomic():
        admin = User.objects.filter(is_superuser=True).order_by("pk").first()
        if admin is None:
            raise BadInput("There is no admin yet: run `manage.py create_admin NAME` first.")
        collection, _ = Collection.objects.get_or_create(name=COLLECTION_NAME)
        Membership.objects.get_or_create(collection=collection, user=admin, defaults={"role": Role.ADMIN})
    try:
        about = sources.About(licence_note="Drawn by Koma itself; free to use.")
        episode = sources.register(collection=collection, path=video, by=admin, about=about)
    except sources.AlreadyThere as error:
        episode = error.episode
    open_run = PipelineRun.objects.filter(stages__episode=episode).order_by("-pk").first()
    run = open_run or runs.start(collection=collection, episodes=[episode], by=admin)
    jobs.wake()
    return run


def _report_quarters(report: Report) -> Callable[[float], None]:
    reported = {0}

    def progress(share: float) -> None:
        quarter = int(share * 4)
        if quarter not in reported:
            reported.add(quarter)
            report(f"  drawn: {25 * quarter} %")

    return progress


def follow(run: PipelineRun, *, report: Report) -> None:
    """Report when each stage starts and its results, until the run ends."""
    reported: set[tuple[str, str]] = set()
    while True:
        run.refresh_from_db()
        for lane in lanes(run):
            if lane.state in ("running", "done", "failed") and (lane.name, lane.state) not in reported:
                reported.add((lane.name, lane.state))
                report(f"  {lane.label}: {lane.state}{_came_out(lane.counters)}")
        if run.finished:
            report(f"The demo episode is {'ready' if run.state == 'done' else run.state}.")
            return
        connection.close()
        time.sleep(FOLLOW_EVERY_S)


def _came_out(counters: dict[str, Any]) -> str:
    parts = [f"{n} {name.replace('_', ' ')}" for name, n in counters.items()]
    return f" ({', '.join(parts)})" if parts else ""
