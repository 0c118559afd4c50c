"""What the run engine does for one stage stays the same however many episodes; what is about all grows with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingest.actions import runs
from ingest.models import Collection, Episode, PipelineRun, RunState, Source
from ingest.pipeline import registry, runner
from ingest.pipeline.settling import settle
from tests.conftest import client_of
from tests.database_work import cost
from tests.ingest.pipeline import toy_stages
from tests.pages import html_of

pytestmark = pytest.mark.django_db

FEW, MANY = 30, 300


@pytest.fixture(autouse=True)
def toys(settings: Any) -> Iterator[None]:
    names = ("Make", "Fussy", "Count", "After")
    settings.PIPELINE_STAGES = [f"tests.ingest.pipeline.toy_stages.{name}" for name in names]
    registry.stages.cache_clear()
    toy_stages.HOOKS.clear()
    yield
    registry.stages.cache_clear()


def run_over(collection: Collection, number: int) -> PipelineRun:
    Source.objects.bulk_create(
        Source(collection=collection, kind="video", name=f"{n}", path=f"{n}", sha256=f"{number:030}{n:030}")
        for n in range(number)
    )
    fresh = Source.objects.filter(collection=collection, sha256__startswith=f"{number:030}")
    episodes = Episode.objects.bulk_create(Episode(collection=collection, source=s, title=s.name) for s in fresh)
    return runs.start(collection=collection, episodes=episodes, by=None)


def end_of_a_stage(run: PipelineRun, client: Client) -> Callable[[], object]:
    rows = list(run.stages.filter(state=RunState.QUEUED)[:2])
    first = runner.STAGES.claim(rows[1].pk)
    assert first is not None
    runner.STAGES.close(first, RunState.DONE)  # what is kept of the run is there from then on
    row = runner.STAGES.claim(rows[0].pk)
    assert row is not None
    return lambda: runner.STAGES.close(row, RunState.DONE)


def claim_of_the_next(run: PipelineRun, client: Client) -> Callable[[], object]:
    def claim() -> None:
        chosen = runner.next_in("cpu")
        assert chosen is not None and runner.STAGES.claim(chosen) is not None

    return claim


def settling_all(run: PipelineRun, client: Client) -> Callable[[], object]:
    run.stages.filter(stage="make").update(state=RunState.DONE)
    return lambda: settle(run)


def sweep(run: PipelineRun, client: Client) -> Callable[[], object]:
    return lambda: runner.sweep()


def poll(run: PipelineRun, client: Client) -> Callable[[], object]:
    return lambda: client.get(f"/c/{run.collection_id}/runs/{run.number}/", headers={"HX-Target": "lanes"})


def ring(run: PipelineRun, client: Client) -> Callable[[], object]:
    return lambda: client.get(f"/c/{run.collection_id}/work/")


@pytest.mark.parametrize(
    ("prepare", "times"),
    [
        (end_of_a_stage, 1.6), (claim_of_the_next, 1.6),  # an episode's stage: whatever the number of episodes
        (settling_all, 13), (sweep, 13), (poll, 13), (ring, 13),  # ten times the episodes
    ],
)  # fmt: skip
def test_ten_times_the_episodes_cost_no_more_queries_and_no_more_work_than_their_number(
    prepare: Callable[[PipelineRun, Client], Callable[[], object]], times: float, alice: User, collection: Collection
) -> None:
    client = client_of(alice)
    costs = []
    for number in (FEW, MANY):
        run = run_over(collection, number)
        action = prepare(run, client)
        poll(run, client)()  # caches
        costs.append(cost(action))
        runs.cancel(run, by=alice)
        PipelineRun.objects.all().delete()
    (few_queries, few_steps), (many_queries, many_steps) = costs
    assert many_queries <= few_queries
    assert many_steps <= times * few_steps + 20


def test_the_page_of_a_run_of_many_episodes_draws_a_bounded_number_of_them(
    as_alice: Client, collection: Collection
) -> None:
    run = run_over(collection, MANY)
    run.stages.filter(stage="make").update(state=RunState.FAILED, error="no film")
    page = html_of(as_alice.get(f"/c/{collection.pk}/runs/{run.number}/?lane=make"))
    assert page.count(": no film") == 20
    assert "The first 20 of 300 episodes" in page
    assert page.count("<tr><td>") == 200 + 1  # and the row of the stage over the whole collection
    assert "These are 200 of 300 episodes" in page
