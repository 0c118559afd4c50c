"""RQ workers: one that keeps its process (and models), one that forks; both recover work of dead workers."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence

import django_rq
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.db import DatabaseError, connection, connections
from django.utils.module_loading import import_string
from redis.exceptions import RedisError
from rq.job import Job
from rq.queue import Queue
from rq.worker import SimpleWorker, Worker

from ingest.actions import uploads
from ingest.pipeline import deaf
from ingest.pipeline.registry import stages
from ingest.storage import forgotten_files
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

SWEEP_EVERY_S = 15
TIDY_EVERY_S = 3600  # temp files of dead processes, uploads that nobody went on with, files that no row names
PR_SET_PDEATHSIG = 1


class Sweeper:
    """A thread that runs the sweeps of all apps; `pause` keeps a fork from copying it during a query."""

    def __init__(self) -> None:
        self.pause = threading.Lock()
        self._stop = threading.Event()
        self._tidy_at = 0.0
        self._thread = threading.Thread(target=self._loop, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; a sweep in progress is waited for, a little."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _loop(self) -> None:
        while not self._stop.is_set():
            with self.pause:
                for path in settings.SWEEPS:
                    self._swept(import_string(path))
                if time.monotonic() >= self._tidy_at:
                    self._tidy_at = time.monotonic() + TIDY_EVERY_S
                    self._swept(lambda: store().sweep())
                    self._swept(uploads.sweep)
                    self._swept(forgotten_files.sweep)
                    self._swept(SessionStore.clear_expired)
                connection.close()
            swept = time.monotonic()
            while not self._stop.wait(min(deaf.CHECK_EVERY_S, SWEEP_EVERY_S)):
                if time.monotonic() - swept >= SWEEP_EVERY_S:
                    break
                with self.pause:
                    self._swept(deaf.kill_deaf)
                    connection.close()

    def _swept(self, sweep: Callable[[], object]) -> None:
        """Run one sweep; its failure must stop neither the others nor this thread, or dead work is never recovered."""
        try:
            sweep()
        except (DatabaseError, RedisError):  # gone for a moment: the next sweep tells
            logger.warning("A sweep failed; it is tried again in %s s", SWEEP_EVERY_S, exc_info=True)
        except Exception:
            logger.exception("A sweep broke; it is tried again in %s s", SWEEP_EVERY_S)


class PersistentWorker(SimpleWorker):
    """Runs jobs in its own process, one after the other, so that models stay loaded. A hung batch ends the process."""

    def perform_job(self, job: Job, queue: Queue) -> bool:
        """With a new connection: one that broke since the last job, as the database restarted, never heals."""
        connections.close_all()
        return super().perform_job(job, queue)


class ForkingWorker(Worker):
    """Runs each job in a child process, whose memory is freed at its end."""

    sweeper: Sweeper | None = None

    def fork_work_horse(self, job: Job, queue: Queue) -> None:
        """Fork while no query runs and no database connection is open that parent and child would share."""
        if self.sweeper is None:
            connections.close_all()
            super().fork_work_horse(job, queue)
            return
        with self.sweeper.pause:
            connections.close_all()
            super().fork_work_horse(job, queue)

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """In the child: end with the worker, however that ends."""
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.pid:  # it had ended before we asked to end with it
                os._exit(1)
        super().main_work_horse(job, queue)


def run(queue_names: Sequence[str], *, burst: bool) -> None:
    """Work on the queues until told to stop; the queue gpu gets a process that keeps its models.

    SIGTERM once: stop after the job; twice: stop now (the stage resumes later from what it saved).
    """
    unknown = [name for name in queue_names if name not in settings.RQ_QUEUES]
    if unknown:
        raise ValueError(f"There is no queue {unknown[0]!r}; there are: {', '.join(settings.RQ_QUEUES)}.")
    stages()  # here once, and not in each process that is forked for a job
    keeps_models = "gpu" in queue_names
    queues = [django_rq.get_queue(name) for name in queue_names]
    kind = PersistentWorker if keeps_models else ForkingWorker
    worker = kind(queues, connection=queues[0].connection, serializer=queues[0].serializer)
    sweeper = Sweeper()
    if isinstance(worker, ForkingWorker):
        worker.sweeper = sweeper
    sweeper.start()
    try:
        worker.work(burst=burst, logging_level="WARNING")
    finally:
        sweeper.stop()
