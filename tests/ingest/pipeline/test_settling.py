"""Which stages become ready, whoever ended in what order: held against the rules written down one row at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from ingest.actions import runs
from ingest.models import FINISHED, Collection, Episode, PipelineRun, RunState, Source, StageRun
from ingest.pipeline import progress, registry, runner, tallies
from ingest.pipeline.settling import settle
from tests.ingest.pipeline import toy_stages

pytestmark = pytest.mark.django_db

BAD = (RunState.FAILED, RunState.CANCELLED)


@pytest.fixture(autouse=True)
def toys(settings: Any) -> Iterator[None]:
    names = ("Make", "Fussy", "Count", "After")
    settings.PIPELINE_STAGES = [f"tests.ingest.pipeline.toy_stages.{name}" for name in names]
    registry.stages.cache_clear()
    toy_stages.HOOKS.clear()
    yield
    registry.stages.cache_clear()


def start(collection: Collection, number: int, stage_names: list[str] | None = None) -> PipelineRun:
    episodes = []
    for n in range(number):
        created = Source.objects.create(
            collection=collection, kind="video", name=f"{n}", path=f"{n}", sha256=f"{n}" * 8
        )
        episodes.append(Episode.objects.create(collection=collection, source=created, title=f"{n}"))
    return runs.start(collection=collection, episodes=episodes, by=None, stage_names=stage_names)


def expected(run: PipelineRun) -> dict[int, str]:
    """The states after settling, by the rules: each row held against all rows before it."""
    rows = list(run.stages.order_by("order", "pk"))
    for row in rows:
        if row.state != RunState.WAITING:
            continue
        before = [other for other in rows if other.order < row.order]
        if row.episode_id is None:
            if all(other.state in FINISHED for other in before):
                well = not before or any(other.state == RunState.DONE for other in before)
                row.state = RunState.QUEUED if well else RunState.CANCELLED
            continue
        same_episode = [other for other in before if other.episode_id == row.episode_id]
        collection_wide = [other for other in before if other.episode_id is None]
        if any(other.state in BAD for other in same_episode):
            row.state = RunState.CANCELLED
        elif all(other.state == RunState.DONE for other in same_episode) and all(
            other.state in FINISHED for other in collection_wide
        ):
            row.state = RunState.QUEUED
    return {row.pk: str(row.state) for row in rows}


def states(run: PipelineRun) -> dict[int, str]:
    return dict(run.stages.values_list("pk", "state"))


@pytest.mark.parametrize("seed", range(12))
def test_after_every_ending_the_states_are_those_of_the_rules(collection: Collection, seed: int) -> None:
    dice = random.Random(seed)
    run = start(collection, dice.randint(1, 5), stage_names=dice.choice([None, ["make", "count"], ["count", "after"]]))
    assert states(run) == expected(run)
    while queued := list(run.stages.filter(state=RunState.QUEUED)):
        row = runner.STAGES.claim(dice.choice(queued).pk)
        assert row is not None
        outcome = dice.choices([RunState.DONE, RunState.FAILED, RunState.CANCELLED], [6, 2 if seed % 3 else 9, 1])[0]
        StageRun.objects.filter(pk=row.pk).update(state=outcome)
        expected_states = expected(run)
        StageRun.objects.filter(pk=row.pk).update(state=RunState.RUNNING)
        runner.STAGES.close(row, outcome)
        assert states(run) == expected_states
        settle(run)
        assert states(run) == expected_states  # looking at everything finds nothing more
    run.refresh_from_db()
    assert run.finished and run.finished_at
    assert (run.state == RunState.FAILED) == run.stages.filter(state=RunState.FAILED).exists()
    assert not run.stages.exclude(state__in=FINISHED).exists()


def test_what_a_run_came_to_is_what_its_rows_say_also_after_a_cancel_and_going_on(collection: Collection) -> None:
    run = start(collection, 4)

    def disturb(ctx: Any, batch: list[int]) -> None:
        ctx.timings["compute"] = 1.5
        ctx.device = f"device {ctx.episode.title}"
        if ctx.episode.title == "2" and 2 in batch:
            runs.cancel(run, by=None)

    toy_stages.HOOKS["make"] = disturb
    assert runs.run_here(run).state == RunState.CANCELLED
    assert progress.lanes(run)[0].counters == {"made": 6 + 6 + 4}
    toy_stages.HOOKS["make"] = lambda ctx, batch: setattr(ctx, "device", f"device {ctx.episode.title}")
    run = runs.run_here(runs.resume(run, by=None))
    assert run.state == RunState.DONE
    created, fussy, count, _ = progress.lanes(run)
    assert created.counters == {"made": 24}
    assert created.tally.devices == ["device 0", "device 1", "device 2", "device 3"]
    run_tallies = run.tallies
    PipelineRun.objects.filter(pk=run.pk).update(tallies=None)  # of a run of an older Koma
    run.refresh_from_db()
    read = tallies.of(run)
    assert {name: tally.counters for name, tally in read.items()} == {
        name: values["counters"] for name, values in run_tallies.items()
    }
    seconds = {
        name: values["seconds"] for name, values in run_tallies.items()
    }  # PostgreSQL keeps keys in an order of its own
    assert {name: tally.seconds for name, tally in read.items()} == pytest.approx(seconds)
    assert [lane.percent for lane in (created, fussy, count)] == [100, 100, 100]


def test_two_collections_take_turns_and_the_one_that_waited_longest_is_served_first(collection: Collection) -> None:
    start(collection, 4, stage_names=["make"])
    other = Collection.objects.create(name="Small show")
    first = runner.STAGES.claim(runner.next_in("cpu") or 0)
    assert first is not None and first.run.collection_id == collection.pk
    source = Source.objects.create(collection=other, kind="video", name="x", path="x", sha256="x" * 8)
    episodes = [Episode.objects.create(collection=other, source=source, title="x")]
    runs.start(collection=other, episodes=episodes, by=None)
    order = []
    for _ in range(3):
        row = runner.STAGES.claim(runner.next_in("cpu") or 0)
        assert row is not None
        order.append(row.run.collection_id)
        if order[-1] == other.pk:
            runner.STAGES.close(row, RunState.DONE)  # its next stage becomes ready at once
    assert order == [other.pk, collection.pk, other.pk]


def test_a_small_run_beside_a_large_one_of_the_same_collection_takes_turns_with_it(collection: Collection) -> None:
    large = start(collection, 4, stage_names=["make"])
    assert runner.STAGES.claim(runner.next_in("cpu") or 0) is not None
    source = Source.objects.create(collection=collection, kind="video", name="x", path="x", sha256="x" * 8)
    late = [Episode.objects.create(collection=collection, source=source, title="x")]
    small = runs.start(collection=collection, episodes=late, by=None)
    chosen = StageRun.objects.get(pk=runner.next_in("cpu") or 0)
    assert chosen.run_id == small.pk != large.pk
