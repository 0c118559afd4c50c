"""Workers of this machine that hear nothing are killed from outside, and nobody else is."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingest.models import PipelineRun, StageRun
from ingest.pipeline import runner  # noqa: F401 - its kind of work is among those that are looked at
from ingest.pipeline.deaf import kill_deaf

SLEEP = "import time\nprint(flush=True)\ntime.sleep(120)\n"


def process(*words: str) -> subprocess.Popen[bytes]:
    """A process with these words in its command."""
    child = subprocess.Popen([sys.executable, "-c", SLEEP, *words], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    return child


@pytest.fixture()
def worker() -> Iterator[subprocess.Popen[bytes]]:
    child = process("runworker", "gpu")
    yield child
    child.kill()
    child.wait()


def running(collection: Any, pid: int, *, silent_s: float, cancelled: bool, began_s: float = 0.0) -> StageRun:
    now = timezone.now()
    run = PipelineRun.objects.create(
        collection=collection, code_version="test", state="running", cancel_requested=cancelled
    )
    return StageRun.objects.create(
        run=run, stage="extract", order=0, queue="gpu", state="running", token="t",
        worker=f"{socket.gethostname()}:{pid}", started_at=now - timedelta(seconds=began_s),
        heartbeat_at=now - timedelta(seconds=silent_s),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("silent_s", "cancelled", "began_s"), [(11, False, 0), (5, True, 0), (200, True, 3600), (200, False, 3600)]
)
def test_one_that_gives_heartbeats_or_has_the_number_of_a_dead_one_lives_on(
    collection: Any, worker: subprocess.Popen[bytes], silent_s: float, cancelled: bool, began_s: float
) -> None:
    running(collection, worker.pid, silent_s=silent_s, cancelled=cancelled, began_s=began_s)
    assert kill_deaf() == 0
    assert worker.poll() is None


def test_a_worker_of_another_machine_and_a_process_that_is_gone_are_left_alone(
    collection: Any, worker: subprocess.Popen[bytes]
) -> None:
    row = running(collection, worker.pid, silent_s=200, cancelled=True)
    StageRun.objects.filter(pk=row.pk).update(worker=f"elsewhere:{worker.pid}")
    gone = process()
    gone.kill()
    gone.wait()
    running(collection, gone.pid, silent_s=200, cancelled=False)
    assert kill_deaf() == 0
    assert worker.poll() is None
