from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from ingest.models import Collection, Episode, PipelineRun, Source, StageRun
from ingest.pipeline import progress

pytestmark = pytest.mark.django_db


def test_summaries_say_what_the_lanes_say(
    collection: Collection, alice: User, django_assert_num_queries: object
) -> None:
    episodes = []
    for n in range(3):
        source = Source.objects.create(collection=collection, kind="video", name=f"{n}", path="x", sha256=f"{n}")
        episodes.append(Episode.objects.create(collection=collection, source=source, title=f"{n}"))
    shapes = [
        [("extract", "done", 0, 0), ("extract", "running", 70, 9), ("dedup", "waiting", 0, 0)],
        [("extract", "done", 5, 5), ("extract", "waiting", 0, 0), ("detect", "failed", 3, 2), ("detect", "done", 3, 3)],
        [("extract", "running", 200, 200), ("dedup", "cancelled", 10, 7)],
        [],
    ]
    runs = []
    for shape in shapes:
        run = PipelineRun.objects.create(collection=collection, created_by=alice, code_version="1")
        for n, (stage, state, total, done) in enumerate(shape):
            StageRun.objects.create(
                run=run, episode=episodes[n % 3], stage=stage, order=["extract", "dedup", "detect"].index(stage),
                queue="cpu", state=state, total=total, done=done,
            )  # fmt: skip
        runs.append(run)
    result = progress.summaries(runs)
    for run in runs:
        lanes = progress.lanes(run)
        assert [(s.name, s.label, s.state, s.percent) for s in result[run.pk]] == [
            (lane.name, lane.label, lane.state, lane.percent) for lane in lanes
        ]
        assert progress.percent(result[run.pk]) == progress.percent(lanes)
