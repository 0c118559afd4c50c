"""Kills, from outside, workers of this machine that are stuck in a call which lets none of their own threads run."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db.models import Q
from django.utils import timezone

from ingest.models import RunState, StageRun
from ingest.pipeline import runner

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 3
SILENT_CANCELLED_S = 10  # two heartbeats: together with LOOK_EVERY_S a cancel is heard within 15 s
COMMAND = b"runworker"


def kill_deaf() -> int:
    """Kill the worker of each stage that gave no heartbeat, soon where its run was cancelled; returns how many.

    A worker's own watch is a thread, which a call that keeps the interpreter's lock never lets run. The stage of a
    cancelled run ends at once; the sweep takes up any other.
    """
    now = timezone.now()
    silent = Q(heartbeat_at__lt=now - timedelta(seconds=SILENT_CANCELLED_S), run__cancel_requested=True)
    silent |= Q(heartbeat_at__lt=now - timedelta(seconds=runner.HEARTBEAT_MAX_AGE_S))
    here = f"{socket.gethostname()}:"
    killed = 0
    for row in StageRun.objects.filter(silent, state=RunState.RUNNING, worker__startswith=here).select_related("run"):
        number = row.worker.removeprefix(here)
        if not number.isascii() or not number.isdecimal() or not _is_its_worker(int(number), row.started_at):
            continue
        logger.warning("stage run %s gave no sign of life; its process %s is killed", row.pk, number)
        try:
            os.kill(int(number), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
        killed += 1
        if row.run.cancel_requested:
            runner.close(row, RunState.CANCELLED)
    return killed


def _is_its_worker(pid: int, claimed: datetime | None) -> bool:
    """Whether a process is a child or a worker of ours that was there when the stage began: numbers are used again."""
    if pid == os.getpid() or claimed is None:
        return False
    try:
        facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        is_worker = COMMAND in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # gone, or no Linux
        return False
    parent, ticks = int(facts[1]), int(facts[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    began = datetime.fromtimestamp(booted + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    return (is_worker or parent == os.getpid()) and began <= claimed + timedelta(seconds=1)
