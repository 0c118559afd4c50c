"""`manage.py runworker`: one process for the gpu queue, a child a job elsewhere, and a sweep in each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django_rq
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from rq.serializers import JSONSerializer

from ingest import worker

ROOT = Path(__file__).resolve().parents[2]


def note_pid(key: str) -> None:
    """A job: append this process's id to a list in Redis."""
    django_rq.get_connection("cpu").rpush(key, os.getpid())


def run_two(queue: str, start: Callable[[], object]) -> list[int]:
    connection = django_rq.get_connection(queue)
    for _ in range(2):
        django_rq.get_queue(queue).enqueue("tests.project.test_worker.note_pid", "pids")
    start()
    return [int(pid) for pid in connection.lrange("pids", 0, -1)]


@pytest.fixture()
def no_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest keeps its own Ctrl-C."""
    monkeypatch.setattr("rq.worker.BaseWorker._install_signal_handlers", lambda self: None)


@pytest.mark.django_db(transaction=True)
def test_the_gpu_queue_keeps_its_process(queues: str, no_signals: None) -> None:
    assert run_two("gpu", lambda: call_command("runworker", "gpu", "--burst")) == [os.getpid()] * 2


def break_connection() -> None:
    """A job: use the database, which then restarts."""
    User.objects.count()
    connection.connection.close()  # as the server ends it; Django does not know


def note_users(key: str) -> None:
    """A job: append the number of users to a list in Redis."""
    django_rq.get_connection("gpu").rpush(key, User.objects.count())


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_keeps_its_process_works_again_after_the_database_restarted(
    queues: str, no_signals: None, alice: User
) -> None:
    queue = django_rq.get_queue("gpu")
    queue.enqueue("tests.project.test_worker.break_connection")
    queue.enqueue("tests.project.test_worker.note_users", "users")
    try:
        call_command("runworker", "gpu", "--burst")
    finally:
        connection.close()
    assert django_rq.get_connection("gpu").lrange("users", 0, -1) == [b"1"]


def test_other_queues_give_each_job_a_process(queues: str, with_tables: Callable[[Path], Path], tmp_path: Path) -> None:
    environment = os.environ | {
        "KOMA_DATA_DIR": str(with_tables(tmp_path / "data")), "REDIS_URL": queues,
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }  # fmt: skip
    environment.pop("DATABASE_URL", None)
    worker: list[int] = []

    def start() -> None:
        command = [sys.executable, "manage.py", "runworker", "cpu", "--burst"]
        with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
            worker.append(process.pid)
        assert process.returncode == 0

    pids = run_two("cpu", start)
    assert len(set(pids)) == 2
    assert not {os.getpid(), *worker} & set(pids)


def test_jobs_travel_as_json(queues: str) -> None:
    job = django_rq.get_queue("io").enqueue("tests.project.test_worker.note_pid", "pids")
    assert job.serializer is JSONSerializer
    raw = django_rq.get_connection("io").hget(job.key, "data")
    assert b"pickle" not in raw
    with pytest.raises(TypeError):
        django_rq.get_queue("io").enqueue("tests.project.test_worker.note_pid", object())


def test_an_unknown_queue_is_refused_by_name(queues: str) -> None:
    with pytest.raises(CommandError, match="gup"):
        call_command("runworker", "gup")


def test_without_redis_the_command_says_so(settings: Any, tmp_path: Any) -> None:
    from project.queues import rq_queues
    from tests.conftest import _django_rq_queues

    settings.RQ_QUEUES = rq_queues(f"unix://{tmp_path}/nobody.sock")
    with _django_rq_queues(settings.RQ_QUEUES), pytest.raises(CommandError, match="REDIS_URL"):
        call_command("runworker", "cpu", "--burst")


@pytest.mark.django_db(transaction=True)
def test_the_sweep_sends_what_waits(queues: str, collection: Any) -> None:
    from ingest.models import PipelineRun, StageRun

    run = PipelineRun.objects.create(collection=collection, code_version="test")
    row = StageRun.objects.create(run=run, stage="extract", order=0, queue="cpu", state="queued")
    sweeper = worker.Sweeper()
    sweeper.start()
    for _ in range(100):
        if django_rq.get_queue("cpu").count:
            break
        sweeper._stop.wait(0.05)
    sweeper.stop()
    (job,) = django_rq.get_queue("cpu").jobs  # it names the queue; whose turn it is the worker asks the database
    assert job.func_name == "ingest.jobs.run_next"
    job.perform()
    row.refresh_from_db()
    assert row.attempt == 1, "the stage that waited was taken"


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_breaks_stops_no_other_sweep_nor_the_thread(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []

    def broken() -> None:
        swept.append("broken")
        raise ValueError("settings of another Koma")

    sweeps = {"a.broken": broken, "a.good": lambda: swept.append("good")}
    settings.SWEEPS = list(sweeps)
    monkeypatch.setattr(worker, "import_string", sweeps.__getitem__)
    monkeypatch.setattr(worker, "SWEEP_EVERY_S", 0.01)
    sweeper = worker.Sweeper()
    sweeper.start()
    for _ in range(500):
        if swept.count("good") > 1:
            break
        sweeper._stop.wait(0.01)
    sweeper.stop()
    assert swept[:4] == ["broken", "good", "broken", "good"]


def test_the_hourly_sweep_deletes_ended_sessions(transactional_db: None) -> None:
    from datetime import timedelta

    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from ingest.worker import Sweeper

    for key, hours in (("old", -1), ("new", 1)):
        Session.objects.create(session_key=key, session_data="", expire_date=timezone.now() + timedelta(hours=hours))
    sweeper = Sweeper()
    sweeper.start()
    until = time.monotonic() + 20
    while Session.objects.count() > 1 and time.monotonic() < until:
        time.sleep(0.05)
    sweeper.stop()
    assert [row.session_key for row in Session.objects.all()] == ["new"]
