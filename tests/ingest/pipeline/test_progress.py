from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from ingest.models import Collection, Episode, PipelineRun, Source, StageRun
from ingest.pipeline import progress
from ingest.pipeline.progress import Lane, Outlook
from ingest.pipeline.tallies import Tally

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
        assert progress.outlook(result[run.pk], {}).percent == progress.outlook(lanes, {}).percent


def lane(name: str, state: str, percent: int, *, took_s: float = 0.0) -> Lane:
    tally = Tally(seconds=took_s)
    return Lane(name, name, 1, percent, {state}, 10, tally)


EXPECTED = {"extract": 80.0, "detect": 15.0, "tag": 5.0}


def test_a_run_is_as_far_as_its_work_and_not_as_its_stages() -> None:
    lanes = [lane("extract", "running", 50), lane("detect", "waiting", 0), lane("tag", "waiting", 0)]
    assert progress.outlook(lanes, EXPECTED).percent == 40
    assert progress.outlook(lanes, {}).percent == 16  # nothing is known: all stages alike
    assert progress.outlook([], {}) == Outlook(0, None)


def test_the_time_left_follows_the_pace_of_what_is_done() -> None:
    waiting = [lane("detect", "waiting", 0), lane("tag", "waiting", 0)]
    on_time = progress.outlook([lane("extract", "done", 100, took_s=80), *waiting], EXPECTED)
    slow = progress.outlook([lane("extract", "done", 100, took_s=160), *waiting], EXPECTED)
    assert on_time.seconds_left == pytest.approx(20)
    assert slow.seconds_left == pytest.approx(40)
    stuck = progress.outlook([lane("extract", "done", 100, took_s=80_000), *waiting], EXPECTED)
    assert stuck.seconds_left == pytest.approx(20 * progress.PACE_MAX)


def test_how_long_drawing_the_demo_took_says_nothing_of_the_time_left() -> None:
    expected = EXPECTED | {"draw_demo": 50.0}
    drawn = lane("draw_demo", "done", 100, took_s=500)
    waiting = [lane("detect", "waiting", 0), lane("tag", "waiting", 0)]
    seconds = [
        progress.outlook([drawn, lane("extract", "done", 100, took_s=took_s), *waiting], expected).seconds_left
        for took_s in (80, 160)
    ]
    assert seconds == pytest.approx([20, 40])
    assert progress.outlook([drawn, lane("extract", "waiting", 0), *waiting], expected).seconds_left == (
        pytest.approx(100)
    )


def test_a_stage_that_runs_counts_by_its_own_rate_the_more_the_further_it_is() -> None:
    def left(percent: int) -> float:
        detect = lane("detect", "running", percent)
        began = timezone.now() - timedelta(seconds=30)  # twice as long as expected
        detect.running = [StageRun(started_at=began, state="running", total=100, done=percent)]
        seconds = progress.outlook([detect], EXPECTED).seconds_left
        assert seconds is not None
        return seconds

    assert left(10) == pytest.approx(0.9 * (30 + 0.9 * 15), rel=0.01)
    assert left(90) == pytest.approx(0.1 * (30 + 0.1 * 15), rel=0.01)


def test_what_is_over_has_no_time_left() -> None:
    for state in ("done", "failed", "cancelled"):
        assert progress.outlook([lane("extract", state, 100)], EXPECTED).seconds_left is None
