"""The rules of claimed work, for every kind of it: one worker has it, texts are storable, nothing ends twice."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from annotate.evaluation.evaluation_jobs import EVALUATIONS
from annotate.model_library.model_jobs import MODEL_JOBS
from annotate.models import Evaluation, ModelJob
from export.build.export_job import EXPORTS
from export.build.release_job import RELEASES
from export.models import ExportJob, FaceExample, Release
from export.preview.example_faces import FACES
from ingest.errors import BadInput
from ingest.models import Collection, PipelineRun, RunState, StageRun
from ingest.pipeline import claims
from ingest.pipeline.claims import ERROR_BYTES_MAX, Kind, error_text
from ingest.pipeline.deaf import kill_deaf
from ingest.pipeline.runner import STAGES
from tests.ingest.pipeline.test_deaf import process
from tests.safety.test_outages import locked_by_somebody

ROOT = Path(__file__).resolve().parents[1]

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
WORKERS = 6


def a_stage(collection: Collection) -> StageRun:
    run = PipelineRun.objects.create(collection=collection, code_version="test")
    return StageRun.objects.create(run=run, stage="extract", order=0, queue="cpu", state=RunState.QUEUED)


MAKE: dict[str, tuple[Kind[Any], Callable[[Collection], Any]]] = {
    "stage": (STAGES, a_stage),
    "export": (EXPORTS, lambda collection: ExportJob.objects.create(collection=collection, name="a")),
    "release": (RELEASES, lambda collection: Release.objects.create(collection=collection, name="a", number=1)),
    "model job": (MODEL_JOBS, lambda _: ModelJob.objects.create(act=ModelJob.Act.VERIFY, name="tiny")),
    "measurement": (EVALUATIONS, lambda _: Evaluation.objects.create(kind="faces", model="tiny", folder="0:a")),
    "face": (
        FACES,
        lambda collection: FaceExample.objects.create(
            collection=collection, digest="a" * 64, asked_at=timezone.now()
        ),
    ),
}  # fmt: skip


@pytest.fixture(params=MAKE)
def work(request: pytest.FixtureRequest, collection: Collection) -> tuple[Kind[Any], Any]:
    """A kind of work, and a row of it that waits."""
    kind, make = MAKE[request.param]
    return kind, make(collection)


def ask_to_stop(row: Any) -> None:
    where = PipelineRun.objects.filter(pk=row.run_id) if isinstance(row, StageRun) else type(row).objects
    where.update(cancel_requested=True)


def grow_silent(kind: Kind[Any], row: Any, seconds: float) -> None:
    kind.rows().filter(pk=row.pk).update(heartbeat_at=timezone.now() - timedelta(seconds=seconds))


def test_every_kind_is_known_to_whoever_looks_for_silent_workers() -> None:
    assert {kind.noun for kind in claims.KINDS} == {"stage", "export", "job", "measurement", "face", "release"}


@pytest.mark.django_db(transaction=True)
def test_of_workers_that_want_the_same_at_once_one_gets_it(work: tuple[Kind[Any], Any]) -> None:
    kind, row = work
    together, got = threading.Barrier(WORKERS), list[Any]()

    def claim() -> None:
        together.wait()
        got.append(kind.claim(row.pk))
        connection.close()

    threads = [threading.Thread(target=claim) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [claimed for claimed in got if claimed is not None]
    assert len(got) == WORKERS
    row.refresh_from_db()
    assert (row.state, row.attempt, row.token) == (RunState.RUNNING, 1, winner.token)
    assert row.worker.startswith(f"{socket.gethostname()}:")


@pytest.mark.parametrize("problem", [BadInput, ValueError])
def test_texts_that_no_database_takes_are_stored_as_others(
    work: tuple[Kind[Any], Any], problem: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    kind, row = work
    caplog.set_level(logging.CRITICAL, logger=claims.__name__)  # xdist cannot send half characters of a log

    def fail(report: Any) -> None:
        raise problem("No picture: caf\udce9\0.png\nLook at it.")

    assert kind.run(kind.claim(row.pk), fail) == RunState.FAILED
    row.refresh_from_db()
    assert row.state == RunState.FAILED and row.finished_at is not None
    unexpected = "Unexpected error (ValueError): " if problem is ValueError else ""
    assert row.error.startswith(f"{unexpected}No picture: caf_")
    assert ".png\nLook at it." in row.error


def test_a_long_text_is_cut_between_characters() -> None:
    text = error_text("é" * ERROR_BYTES_MAX)
    assert len(text.encode()) == ERROR_BYTES_MAX and set(text) == {"é"}


def test_a_worker_whose_work_was_taken_over_writes_nothing_more(work: tuple[Kind[Any], Any]) -> None:
    kind, row = work
    first = kind.claim(row.pk)
    grow_silent(kind, row, claims.HEARTBEAT_MAX_AGE_S + 1)
    kind.take_back_dead()
    second = kind.claim(row.pk)

    def work_on(report: Any) -> None:
        report(at_once=True)
        raise AssertionError("the loss of the claim was not heard")

    assert kind.run(first, work_on) is None
    assert kind.run(first, lambda report: None) is None
    row.refresh_from_db()
    assert (row.state, row.token, row.error) == (RunState.RUNNING, second.token, "")


def test_work_that_is_alive_is_left_alone_and_a_dead_workers_waits_again_a_few_times(
    work: tuple[Kind[Any], Any],
) -> None:
    kind, row = work
    for attempt in range(1, kind.attempts_max + 1):
        assert kind.claim(row.pk) is not None
        kind.take_back_dead()
        row.refresh_from_db()
        assert (row.state, row.attempt) == (RunState.RUNNING, attempt)
        grow_silent(kind, row, claims.HEARTBEAT_MAX_AGE_S + 1)
        kind.take_back_dead()
        row.refresh_from_db()
        assert row.state == (RunState.QUEUED if attempt < kind.attempts_max else RunState.FAILED)
    assert row.error == (
        f"The worker died or hung {kind.attempts_max} times in this {kind.noun}. See the worker's log, then "
        f"{kind.retry}."
    )


def test_work_of_a_process_that_has_ended_does_not_wait_for_its_heartbeat_to_grow_old(
    work: tuple[Kind[Any], Any], settings: Any
) -> None:
    kind, row = work
    hold = "import sys; from ingest import alive; print(alive.process_name(), flush=True); sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup(); {hold}"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "KOMA_DATA_DIR": str(settings.KOMA_DATA_DIR), "DJANGO_SETTINGS_MODULE": "project.settings"},
    )  # fmt: skip
    assert other.stdout is not None
    name = other.stdout.readline().strip()

    def take_back(silent_s: float) -> str:
        grow_silent(kind, row, silent_s)
        kind.take_back_dead()
        row.refresh_from_db()
        return str(row.state)

    kind.claim(row.pk)
    assert take_back(claims.ENDED_MAX_AGE_S + 1) == RunState.RUNNING  # our own
    kind.rows().filter(pk=row.pk).update(token=name + "x" * 20)
    assert take_back(claims.ENDED_MAX_AGE_S + 1) == RunState.RUNNING
    other.kill()
    other.communicate()
    assert take_back(claims.ENDED_MAX_AGE_S - 5) == RunState.RUNNING
    assert take_back(claims.ENDED_MAX_AGE_S + 1) == RunState.QUEUED
    assert kind.claim(row.pk) is not None


def test_cancelled_work_of_a_dead_worker_ends_soon_and_does_not_wait_again(work: tuple[Kind[Any], Any]) -> None:
    kind, row = work
    kind.claim(row.pk)
    ask_to_stop(row)
    grow_silent(kind, row, claims.CANCELLED_MAX_AGE_S + 1)
    kind.take_back_dead()
    left = kind.rows().filter(pk=row.pk).values_list("state", flat=True).first()
    assert left == (None if kind is FACES else RunState.CANCELLED)


@pytest.mark.parametrize(("silent_s", "cancelled"), [(11, True), (91, False)])
def test_a_worker_that_is_stuck_is_killed_whatever_it_works_on(
    work: tuple[Kind[Any], Any], silent_s: float, cancelled: bool
) -> None:
    kind, row = work
    kind.claim(row.pk)
    stuck = process("runworker", "gpu")
    try:
        kind.rows().filter(pk=row.pk).update(worker=f"{socket.gethostname()}:{stuck.pid}")
        if cancelled:
            ask_to_stop(row)
        grow_silent(kind, row, silent_s)
        kind.rows().filter(pk=row.pk).update(started_at=timezone.now())
        assert kill_deaf() == 1
        assert stuck.wait(timeout=20) == -9
    finally:
        stuck.kill()
        stuck.wait()
    assert kind.rows().filter(pk=row.pk, state=RunState.RUNNING).exists() != cancelled


def test_a_result_that_cannot_be_stored_fails_with_a_message(work: tuple[Kind[Any], Any]) -> None:
    kind, row = work
    assert kind.run(kind.claim(row.pk), lambda report: {"attempt": -(10**9)}) == RunState.FAILED
    row.refresh_from_db()
    assert row.error.startswith("The result cannot be stored: ")


def test_what_was_reported_last_is_written_at_the_end(work: tuple[Kind[Any], Any]) -> None:
    kind, row = work
    column = {"stage": "done", "export": "done", "job": "done_bytes", "measurement": "done", "face": "attempt"}
    column["release"] = "done"

    def reports(report: Any) -> None:
        for number in range(1, 20):
            report(**{column[kind.noun]: number})

    assert kind.run(kind.claim(row.pk), reports) == RunState.DONE
    row.refresh_from_db()
    assert getattr(row, column[kind.noun]) == 19


def end_connection(pid: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    connection.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres_only
@pytest.mark.parametrize("at_the_end", [False, True])
def test_work_during_which_the_database_restarts_is_done_again_and_does_not_fail(
    work: tuple[Kind[Any], Any], at_the_end: bool
) -> None:
    kind, row = work

    def work_through_restart(report: Any) -> dict[str, int]:
        if at_the_end:
            pid = connection.connection.info.backend_pid
            thread = threading.Thread(target=end_connection, args=(pid,))
            thread.start()
            thread.join()
        else:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return {"attempt": 1}

    claimed = kind.claim(row.pk)
    with pytest.raises(OperationalError):
        kind.run(claimed, work_through_restart, in_worker=True)
    connection.close()
    row.refresh_from_db()
    assert (row.state, row.token, row.error) == (RunState.RUNNING, claimed.token, "")
    grow_silent(kind, row, claims.HEARTBEAT_MAX_AGE_S + 1)
    kind.take_back_dead()
    assert kind.run(kind.claim(row.pk), lambda report: None) == RunState.DONE


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite_only  # it alone locks the whole database
def test_work_that_finds_the_database_busy_for_long_is_done_again_and_does_not_fail(
    work: tuple[Kind[Any], Any],
) -> None:
    kind, row = work

    def work_while_locked(report: Any) -> None:
        with locked_by_somebody():
            report(at_once=True)

    claimed = kind.claim(row.pk)
    with pytest.raises(OperationalError):
        kind.run(claimed, work_while_locked, in_worker=True)
    row.refresh_from_db()
    assert (row.state, row.token, row.error) == (RunState.RUNNING, claimed.token, "")
