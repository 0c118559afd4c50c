"""Kills workers of this machine that are stuck in a call that blocks all of their own threads."""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.models import RunState
from ingest.pipeline.claims import HEARTBEAT_MAX_AGE_S, KINDS

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 3
SILENT_CANCELLED_S = 10  # two heartbeats: together with CHECK_EVERY_S a cancel takes effect within 15 s
COMMAND = b"runworker"


def kill_deaf() -> int:
    """Kill each worker without a heartbeat, sooner if its work was cancelled; returns their number.

    A worker's own watchdog is a thread, which cannot run while a call holds the interpreter's lock. Cancelled work ends
    at once; the sweeps queue all other work again.
    """
    here = f"{socket.gethostname()}:"
    killed = 0
    for kind in KINDS:
        silent = kind.silent(HEARTBEAT_MAX_AGE_S, cancelled_max_age_s=SILENT_CANCELLED_S)
        for row in silent.filter(worker__startswith=here):
            number = row.worker.removeprefix(here)
            if not number.isascii() or not number.isdecimal() or not _is_its_worker(int(number), row.started_at):
                continue
            logger.warning("%s %s has no heartbeat; its process %s is killed", kind.noun, row.pk, number)
            try:
                os.kill(int(number), signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
            killed += 1
            if kind.is_cancelled(row):
                kind.close(row, RunState.CANCELLED)
    return killed


def _is_its_worker(pid: int, claimed: datetime | None) -> bool:
    """Whether a process is one of our workers that already ran when the work was claimed (pids are reused)."""
    if pid == os.getpid() or claimed is None:
        return False
    try:
        facts = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        is_worker = COMMAND in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # ended, or not Linux
        return False
    parent, ticks = int(facts[1]), int(facts[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    began = datetime.fromtimestamp(booted + ticks / os.sysconf("SC_CLK_TCK"), UTC)
    return (is_worker or parent == os.getpid()) and began <= claimed + timedelta(seconds=1)
