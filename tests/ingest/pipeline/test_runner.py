from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from django_rq import settings as theirs
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from ingest import jobs
from ingest.actions import runs
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Episode, Frame, PipelineRun, RunState, SkippedInput, Source, StageRun
from ingest.pipeline import claims, progress, registry, runner
from tests.ingest.pipeline import toy_stages

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def toys(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = [f"tests.ingest.pipeline.toy_stages.{name}" for name in ("Make", "Fussy", "Count")]
    registry.stages.cache_clear()
    toy_stages.HOOKS.clear()
    yield
    registry.stages.cache_clear()


def episode(collection: Collection, title: str) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name=title, path=title, sha256=title * 8)
    return Episode.objects.create(collection=collection, source=source, title=title)


def start(collection: Collection, *titles: str, **more: Any) -> PipelineRun:
    return runs.start(collection=collection, episodes=[episode(collection, t) for t in titles], by=None, **more)


def test_a_run_takes_each_episode_through_its_stages_and_then_the_collection(collection: Collection) -> None:
    run = runs.run_here(start(collection, "a", "b"))
    assert run.state == RunState.DONE
    assert Frame.objects.count() == 12
    assert SkippedInput.objects.get(name="count").reason == "12"
    assert [lane.percent for lane in progress.lanes(run)] == [100, 100, 100]
    assert progress.lanes(run)[0].counters == {"made": 12}


def test_a_failed_stage_stops_its_own_episode_only_and_says_why(collection: Collection) -> None:
    run = runs.run_here(start(collection, "bad", "good"))
    assert run.state == RunState.FAILED
    failed = run.stages.get(state=RunState.FAILED)
    assert failed.error == "bad.mkv is no video. Replace it."
    assert run.stages.get(stage="count").state == RunState.DONE


def test_a_stage_that_breaks_ends_as_a_row_and_not_as_a_crash(collection: Collection) -> None:
    def burst(*_: Any) -> None:
        raise ZeroDivisionError("by nought")

    toy_stages.HOOKS["make"] = burst
    run = runs.run_here(start(collection, "a"))
    assert run.state == RunState.FAILED
    assert "Unexpected error (ZeroDivisionError): by nought" in run.stages.get(stage="make").error


def test_cancel_stops_after_the_batch_keeps_what_was_saved_and_resume_goes_on(collection: Collection) -> None:
    run = start(collection, "a")

    def cancel(ctx: Any, batch: list[int]) -> None:
        if 2 in batch:
            runs.cancel(run, by=None)

    toy_stages.HOOKS["make"] = cancel
    assert runs.run_here(run).state == RunState.CANCELLED
    assert Frame.objects.count() == 4  # the batch during which it was cancelled is still saved
    toy_stages.HOOKS.clear()
    run = runs.run_here(runs.resume(run, by=None))
    assert run.state == RunState.DONE
    assert sorted(Frame.objects.values_list("index", flat=True)) == list(range(6))


def test_a_long_batch_that_tells_it_is_alive_hears_a_cancel_at_once(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(collection, "a")
    monkeypatch.setattr(claims, "CANCEL_EVERY_S", -1)

    def long_work(ctx: Any, batch: list[int]) -> None:
        ctx.alive()
        runs.cancel(run, by=None)
        ctx.alive()
        raise AssertionError("the cancel was not heard")

    toy_stages.HOOKS["make"] = long_work
    assert runs.run_here(run).state == RunState.CANCELLED
    assert Frame.objects.count() == 0


@pytest.mark.parametrize("how", ["done", "failed", "cancelled"])
def test_a_stage_is_closed_once_however_it_ends(collection: Collection, how: str) -> None:
    run, closed = start(collection, "a", stage_names=["make"]), list[int]()

    def during(ctx: Any, batch: list[int]) -> None:
        assert not closed
        if how == "failed":
            raise BadInput("no more")
        if how == "cancelled":
            runs.cancel(run, by=None)

    toy_stages.HOOKS.update(make=during, close=lambda ctx: closed.append(ctx.stage_run.pk))
    assert runs.run_here(run).state == how
    assert closed == [run.stages.get().pk]


def test_the_places_where_a_stage_with_models_spent_its_time_are_kept_and_shown_in_order(
    collection: Collection,
) -> None:
    def during(ctx: Any, batch: list[int]) -> None:
        ctx.timings |= {"wait": 0.5, "decode": 1.25, "compute": 2.0, "copy": 0.0}

    toy_stages.HOOKS["make"] = during
    run = runs.run_here(start(collection, "a"))
    row = run.stages.get(stage="make")
    assert row.timings["decode"] == 1.25
    assert {"read", "work", "save", "total"} <= set(row.timings)  # and what the runner measures
    lanes = {lane.name: lane for lane in progress.lanes(run)}
    assert [(place.label, place.seconds) for place in lanes["make"].places[:4]] == [
        ("Decode and fit", 1.25), ("Copy to the device", 0.0), ("Compute", 2.0), ("Device waits", 0.5),
    ]  # fmt: skip
    assert lanes["make"].places[2].percent == 100  # never more than the whole
    assert lanes["count"].places == []


def test_a_worker_that_lost_its_claim_writes_nothing_more(collection: Collection) -> None:
    run = start(collection, "a")

    def steal(ctx: Any, batch: list[int]) -> None:
        if 2 in batch:
            StageRun.objects.filter(pk=ctx.stage_run.pk).update(token="somebody else")

    toy_stages.HOOKS["make"] = steal
    assert runner.execute(run.stages.get(stage="make").pk) is None
    assert Frame.objects.count() == 2
    assert run.stages.get(stage="make").state == RunState.RUNNING


def test_two_runs_never_work_on_one_episode(collection: Collection) -> None:
    run = start(collection, "a")
    with pytest.raises(Conflict, match="in a run already"):
        runs.start(collection=collection, episodes=list(collection.episodes.all()), by=None)
    runs.cancel(run, by=None)
    runs.start(collection=collection, episodes=list(collection.episodes.all()), by=None)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"make": {"size": 3}}, "no parameter 'size'"),
        ({"nothing": {}}, "no stage 'nothing'"),
        ({"make": {"frames": -1}}, "0 or more"),
    ],
)
def test_wrong_parameters_are_refused_by_name_before_anything_starts(
    collection: Collection, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        start(collection, "a", params=params)
    assert not PipelineRun.objects.exists()


def test_a_stage_can_be_run_alone(collection: Collection) -> None:
    run = runs.run_here(start(collection, "a", stage_names=["count"]))
    assert [row.stage for row in run.stages.all()] == ["count"]
    assert run.state == RunState.DONE


def test_jobs_travel_through_a_real_redis_once_each(collection: Collection, queues: str) -> None:
    run = start(collection, "a")
    assert jobs.wake()
    assert jobs.wake()  # a second call changes nothing
    assert django_rq.get_queue("cpu").count == 1
    worker = SimpleWorker(
        [django_rq.get_queue("cpu")], connection=django_rq.get_connection("cpu"), serializer=JSONSerializer
    )
    worker.work(burst=True)
    run.refresh_from_db()
    assert run.state == RunState.DONE


def test_without_redis_the_work_waits_in_the_database_until_the_sweep_sends_it(
    collection: Collection, queues: str, settings: Any
) -> None:
    run = start(collection, "a")
    here = dict(theirs.QUEUES["cpu"])
    theirs.QUEUES["cpu"]["URL"] = "unix:///nowhere/redis.sock"
    assert not jobs.wake()
    assert run.stages.get(stage="make").state == RunState.QUEUED
    theirs.QUEUES["cpu"].update(here)
    assert jobs.sweep() == 1
    assert django_rq.get_queue("cpu").count == 1
