"""Exports, measurements and jobs on models take turns: with a real Redis, who was served least recently is next."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rq import SimpleWorker
from rq.serializers import JSONSerializer

from annotate import jobs as annotate_jobs
from annotate.models import Evaluation, ModelJob
from export import jobs as export_jobs
from export.models import ExportJob
from ingest import turns
from ingest.models import Collection, RunState

pytestmark = pytest.mark.django_db

MANY = 40


def work(name: str, times: int) -> None:
    queue = django_rq.get_queue(name)
    SimpleWorker([queue], connection=queue.connection, serializer=JSONSerializer).work(burst=True, max_jobs=times)


@pytest.fixture()
def other() -> Collection:
    return Collection.objects.create(name="One film")


def worked(model: Any, *, owner: str) -> list[Any]:
    """Whose rows were worked on; whether they came to something (there are no pictures) is not looked at."""
    rows = model.objects.exclude(state__in=(RunState.QUEUED, RunState.RUNNING)).order_by("finished_at", "pk")
    return list(rows.values_list(owner, flat=True))


def test_one_export_beside_many_of_another_collection_is_next_but_one(
    collection: Collection, other: Collection, queues: str
) -> None:
    ExportJob.objects.bulk_create(ExportJob(collection=collection, name=f"{n}") for n in range(MANY))
    assert export_jobs.wake() and export_jobs.wake()
    assert django_rq.get_queue("export").count == 1  # a call for the one worker, not forty
    work("export", 1)
    ExportJob.objects.create(collection=other, name="small")
    export_jobs.wake()
    work("export", 3)
    assert worked(ExportJob, owner="collection") == [collection.pk, other.pk, collection.pk, collection.pk]
    work("export", MANY)  # each that ends calls for the next, until none waits
    assert len(worked(ExportJob, owner="collection")) == MANY + 1


def test_one_measurement_beside_many_of_another_collection_is_next_but_one(
    collection: Collection, other: Collection, queues: str, alice: User
) -> None:
    job = {"kind": "gone", "model": "builtin", "by": alice}  # fails at once, in words
    Evaluation.objects.bulk_create(Evaluation(collection=collection, **job) for _ in range(MANY))
    annotate_jobs.wake()
    work("gpu", 1)
    Evaluation.objects.create(collection=other, **job)
    Evaluation.objects.create(folder="0:x", **job)  # of the site: nobody's collection, and no more than one of them
    Evaluation.objects.create(folder="0:x", **job)
    work("gpu", 6)
    assert worked(Evaluation, owner="collection") == [
        collection.pk, other.pk, None, collection.pk, None, collection.pk, collection.pk,
    ]  # fmt: skip


def test_one_persons_job_on_a_model_beside_many_of_another_is_next_but_one(
    queues: str, alice: User, bob: User, settings: Any
) -> None:
    def ask(name: str, by: User) -> None:
        ModelJob.objects.create(act=ModelJob.Act.VERIFY, name=name, created_by=by)

    for number in range(6):
        ask(f"many-{number}", alice)
    annotate_jobs.wake()
    work("io", 1)
    ask("small", bob)
    work("io", 2)
    assert worked(ModelJob, owner="created_by") == [alice.pk, bob.pk, alice.pk]


def test_measurements_that_wait_keep_stages_of_their_queue_waiting_for_one_call_a_worker(
    collection: Collection, queues: str
) -> None:
    Evaluation.objects.bulk_create(Evaluation(collection=collection, kind="gone", model="x") for _ in range(MANY))
    annotate_jobs.wake()
    turns.call("gpu", "ingest.jobs.run_next", "gpu", kind="stage-", waiting=5)
    assert [name.partition("-")[0] for name in django_rq.get_queue("gpu").get_job_ids()] == ["evaluation", "stage"]


def test_without_redis_rows_wait_and_the_caller_is_reported(collection: Collection, settings: Any) -> None:
    from tests.conftest import _django_rq_queues

    ExportJob.objects.create(collection=collection, name="a")
    settings.RQ_QUEUES = {"export": {"URL": "redis://127.0.0.1:1/0"}}
    with _django_rq_queues(settings.RQ_QUEUES):
        assert not export_jobs.wake()
    assert ExportJob.objects.get().state == RunState.QUEUED


def test_turns_go_by_when_a_party_was_served_last_whatever_the_order_of_rows(
    collection: Collection, other: Collection
) -> None:
    now = timezone.now()
    for minutes, owner in ((1, collection), (5, other), (9, collection)):
        ExportJob.objects.create(
            collection=owner, name="old", state=RunState.DONE, started_at=now - timedelta(minutes=minutes)
        )
    first, second = (ExportJob.objects.create(collection=owner, name="new") for owner in (collection, other))

    def chosen() -> int | None:
        waiting = ExportJob.objects.filter(state=RunState.QUEUED)
        return turns.next_of(waiting, ExportJob.objects.all(), party="collection", served="started_at")

    assert chosen() == second.pk
    ExportJob.objects.filter(pk=second.pk).update(state=RunState.RUNNING, started_at=now)
    assert chosen() == first.pk
    ExportJob.objects.filter(pk=first.pk).delete()
    assert chosen() is None
