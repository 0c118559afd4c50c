"""One collection's bulk never keeps another one waiting: with a real Redis, whatever order its queue has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from ingest import jobs
from ingest.actions import runs
from ingest.models import Collection, Episode, PipelineRun, RunState, Source, StageRun
from ingest.pipeline import registry
from tests.ingest.pipeline import toy_stages

pytestmark = pytest.mark.django_db

MANY, WORKERS = 2_000, 2


@pytest.fixture(autouse=True)
def toys(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = [f"tests.ingest.pipeline.toy_stages.{name}" for name in ("Make", "Fussy")]
    registry.stages.cache_clear()
    toy_stages.HOOKS.clear()
    yield
    registry.stages.cache_clear()


def run_over(collection: Collection, number: int, by: User) -> PipelineRun:
    Source.objects.bulk_create(
        Source(collection=collection, kind="video", name=f"{n}", path=f"{n}", sha256=f"{n:030}") for n in range(number)
    )
    episodes = Episode.objects.bulk_create(
        Episode(collection=collection, source=source, title=source.name) for source in collection.sources.all()
    )
    return runs.start(collection=collection, episodes=episodes, by=by)


def worker() -> SimpleWorker:
    return SimpleWorker(
        [django_rq.get_queue("cpu")], connection=django_rq.get_connection("cpu"), serializer=JSONSerializer
    )


def test_one_episode_beside_two_thousand_begins_after_one_stage_a_worker(
    collection: Collection, alice: User, queues: str
) -> None:
    workers = [worker() for _ in range(WORKERS)]
    for worker_process in workers:
        worker_process.register_birth()
    run_over(collection, MANY, alice)
    assert jobs.wake()
    queue = django_rq.get_queue("cpu", commit_mode="auto")
    assert queue.count == WORKERS  # not two thousand
    for worker_process in workers:
        worker_process.register_death()  # `work` registers it again
    workers[0].work(burst=True, max_jobs=3)
    assert StageRun.objects.filter(state=RunState.DONE).count() == 3

    other = Collection.objects.create(name="One film")
    small = run_over(other, 1, alice)
    jobs.wake()
    for worker_process in workers:
        jobs.wake()
        worker_process.work(burst=True, max_jobs=1)
    assert small.stages.filter(stage="make").get().state == RunState.DONE
    assert StageRun.objects.filter(run__collection=collection, state=RunState.DONE).count() <= 3 + WORKERS
    for _ in range(4):
        jobs.wake()
        workers[0].work(burst=True, max_jobs=1)
    small.refresh_from_db()
    assert small.state == RunState.DONE  # all of it, while the large one has hardly begun
    assert StageRun.objects.filter(run__collection=collection, state=RunState.DONE).count() < 10


def test_other_jobs_on_a_queue_wait_for_no_more_than_the_calls_of_its_workers(
    collection: Collection, alice: User, queues: str
) -> None:
    run_over(collection, 50, alice)
    jobs.wake()
    queue = django_rq.get_queue("cpu", commit_mode="auto")
    queue.enqueue_call("ingest.jobs.sweep", job_id="other")
    for _ in range(3):
        jobs.wake()
    ids = queue.get_job_ids()
    assert ids.index("other") == 1 and len(ids) == 2
