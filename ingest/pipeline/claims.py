"""The rules of all work that a worker claims: taken once, reported, cancelled, ended, taken back from the dead.

The database is the truth. A claim is a token on the row; whoever lost it cannot write any more.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import copy
from datetime import timedelta
from typing import Any, Generic, Self, TypeVar

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from ingest import alive, turns
from ingest.errors import Cancelled, KomaError, LostClaim
from ingest.imaging.names import plain_text
from ingest.locking import is_unavailable
from ingest.models import FINISHED, Claimed, Job, RunState
from ingest.storage import full_disk

logger = logging.getLogger(__name__)

Row = TypeVar("Row", bound=Claimed)

HEARTBEAT_EVERY_S = 5
HEARTBEAT_MAX_AGE_S = 90  # older: the worker is dead or hangs; its work goes to another
ENDED_MAX_AGE_S = 15  # of a worker whose process has ended: there is nothing to wait for
CANCEL_EVERY_S = 2  # how often a worker looks whether its work was cancelled
CANCEL_GRACE_S = 4  # then the process of work that does not stop by itself ends
CANCELLED_MAX_AGE_S = 20  # of a heartbeat: a worker that died in cancelled work is not waited for
REPORT_EVERY_S = 0.7  # how often progress is written
STEP_MAX_S = 900  # a step that takes longer hangs: the claim is no longer renewed
ATTEMPTS_MAX = 5  # then the work has failed: it kills or hangs its worker
ERROR_BYTES_MAX = 4000
HUNG_EXIT_CODE = 70
CANCELLED_EXIT_CODE = 71

KINDS: list[Kind[Any]] = []  # of all modules that are loaded, which a worker's sweeps see to


class Kind(Generic[Row]):
    """One kind of work: the rows of `model`.

    `noun` and `retry` complete "The worker died or hung 5 times in this ... See the worker's log, then ...".
    `attempts_max`: fewer where an attempt saves nothing before its end. `step_max_s`: seconds without a report after
    which a worker hangs. `related`: what `select_related` brings along with a claimed row.
    """

    def __init__(
        self,
        model: type[Row],
        *,
        noun: str,
        retry: str,
        attempts_max: int = ATTEMPTS_MAX,
        step_max_s: float = STEP_MAX_S,
        related: tuple[str, ...] = (),
    ) -> None:
        self.model, self.noun, self.retry = model, noun, retry
        self.attempts_max, self.step_max_s, self._related = attempts_max, step_max_s, related
        self.cancelled = Q(cancel_requested=True)  # the rows that somebody wants to stop
        KINDS.append(self)

    def rows(self) -> QuerySet[Row]:
        """All of this kind."""
        rows: QuerySet[Row] = self.model._default_manager.all()
        return rows

    def waiting(self) -> QuerySet[Row]:
        """Those that no worker has begun."""
        return self.rows().filter(state=RunState.QUEUED)

    def next_of(self, waiting: QuerySet[Row], *, party: str) -> int | None:
        """The key of the row whose turn it is: of the party (a column) that was served least recently."""
        return turns.next_of(waiting, self.rows(), party=party, served="started_at")

    def claim(self, pk: int) -> Row | None:
        """Take a waiting row by a conditional UPDATE; None when it does not wait any more."""
        token, now = _new_token(), timezone.now()
        taken = self.waiting().filter(pk=pk).update(
            state=RunState.RUNNING, token=token, worker=f"{socket.gethostname()}:{os.getpid()}",
            attempt=F("attempt") + 1, started_at=now, heartbeat_at=now, error="",
        )  # fmt: skip
        if taken != 1:
            return None
        return self.rows().select_related(*self._related).filter(pk=pk, token=token).first()

    def held(self, row: Row) -> QuerySet[Row]:
        """The row as long as the claim is still ours, else nothing."""
        return self.rows().filter(pk=row.pk, token=row.token, state=RunState.RUNNING)

    def is_cancelled(self, row: Row) -> bool:
        """Whether somebody asked to stop."""
        return self.rows().filter(self.cancelled, pk=row.pk).exists()

    def run(
        self, row: Row, work: Callable[[Reporter[Row]], Mapping[str, Any] | None], *, in_worker: bool = False
    ) -> RunState | None:
        """Do the work of a claimed row and end it; None where another has it now. Never raises for the work's failure.

        In a worker it raises where the database is busy for long or went away: the row keeps its claim, and the sweep
        takes it back as from a dead worker. `work` gives the last values of the row's columns. `in_worker`: also see
        Reporter.
        """
        report = Reporter(self, row, in_worker=in_worker)
        state, error, values = RunState.DONE, "", dict[str, Any]()
        try:
            with report:
                values = dict(work(report) or {})
        except Cancelled:
            state = RunState.CANCELLED
        except LostClaim:
            logger.warning("%s %s was taken over by another worker", self.noun, row.pk)
            return None
        except KomaError as problem:
            state, error = RunState.FAILED, problem.message
        except Exception as problem:  # the one place: work that fails must end as a row that says so
            if in_worker and is_unavailable(problem):
                raise
            logger.exception("%s %s failed", self.noun, row.pk)
            state, error = RunState.FAILED, self._unexpected(problem)
        values = report.unwritten | values
        try:
            with transaction.atomic() if state == RunState.DONE else nullcontext():  # whatever is refused, we go on
                return state if self.close(row, state, error=error, **values) else None
        except (DatabaseError, ValueError) as problem:  # a figure that is no number, a name that is no text
            if not values or (in_worker and is_unavailable(problem)):
                raise
            logger.exception("%s %s returned a result that cannot be stored", self.noun, row.pk)
            error = error or f"The result cannot be stored: {problem}. Check the names of the files, then {self.retry}."
            return RunState.FAILED if self.close(row, RunState.FAILED, error=error) else None

    def close(self, row: Row, state: RunState, *, error: str = "", **values: Any) -> bool:
        """End the work under its claim; False where that is lost."""
        now = timezone.now()
        return bool(self.held(row).update(state=state, error=error_text(error), finished_at=now, **values))

    def silent(self, max_age_s: float, *, cancelled_max_age_s: float = CANCELLED_MAX_AGE_S) -> QuerySet[Row]:
        """Rows at work whose last heartbeat is older, or that are cancelled and whose last is older than that age."""
        now = timezone.now()
        old, soon = now - timedelta(seconds=max_age_s), now - timedelta(seconds=min(max_age_s, cancelled_max_age_s))
        silent = Q(heartbeat_at__lt=old) | (Q(heartbeat_at__lt=soon) & self.cancelled)
        return self.rows().filter(silent, state=RunState.RUNNING)

    def take_back_dead(self, *, max_age_s: float = HEARTBEAT_MAX_AGE_S) -> None:
        """Take back the work of workers that were silent for so long, or whose process has ended."""
        rows = [*self.silent(max_age_s), *filter(_has_ended, self.silent(min(max_age_s, ENDED_MAX_AGE_S)))]
        for row in rows:
            self.take_back(row, self.held(row).filter(heartbeat_at=row.heartbeat_at))

    def take_back(self, row: Row, held: QuerySet[Row], *, hung: bool = False) -> None:
        """Take the claim from a worker that is dead or hangs. The work waits again; it has ended where it is cancelled
        or was tried often enough."""
        row = copy(row)  # a hung worker goes on with its own, under the claim that it loses here
        token = _new_token()
        if held.update(token=token) != 1:
            return
        row.token = token
        if self.is_cancelled(row):
            self.close(row, RunState.CANCELLED)
        elif row.attempt < self.attempts_max:
            self.held(row).update(state=RunState.QUEUED, token="", **self.taken_back_values(row))
        else:
            died = f"The worker died or hung {row.attempt} times in this {self.noun}"
            if hung:
                minutes = max(1, round(self.step_max_s / 60))
                died = f"This {self.noun} hangs: one step took over {minutes} min, in attempt {row.attempt}"
            self.close(row, RunState.FAILED, error=f"{died}. See the worker's log, then {self.retry}.")

    def taken_back_values(self, row: Row) -> dict[str, Any]:
        """What also changes in a row that waits again."""
        return {}

    def _unexpected(self, problem: Exception) -> str:
        if full_disk.disk_is_full(problem):
            return f"{full_disk.WORDS} Then {self.retry}."
        return f"Unexpected error ({type(problem).__name__}): {problem}. The worker's log has the details."


class Reporter(Generic[Row]):
    """What work tells while it lasts. As a context it renews the claim from a thread, for as long as steps end in time.

    With `in_worker` the thread ends the process of work that hangs, and of cancelled work that does not hear it: a call
    into a library that takes minutes cannot be interrupted otherwise, and nothing unsaved is worth waiting for.
    """

    def __init__(self, kind: Kind[Row], row: Row, *, in_worker: bool = False) -> None:
        self.unwritten: dict[str, Any] = {}  # reported since the row was written last
        self._kind, self._row, self._in_worker = kind, row, in_worker
        self._step_began, self._written, self._checked = time.monotonic(), 0.0, time.monotonic()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def __call__(self, *, at_once: bool = False, same_step: bool = False, **values: Any) -> None:
        """Values of the row's columns, written now and then; raises Cancelled or LostClaim.

        `same_step`: still waiting for what may hang.
        """
        if not same_step:
            self.step()
        self.unwritten |= values
        now = time.monotonic()
        if not at_once and now - self._written < REPORT_EVERY_S:
            return
        self._written = now
        if self._kind.held(self._row).update(heartbeat_at=timezone.now(), **self.unwritten) != 1:
            raise LostClaim(f"Another worker has this {self._kind.noun} now.")
        self.unwritten = {}
        self.check()

    def step(self) -> None:
        """A step is over and the next one begins."""
        self._step_began = time.monotonic()

    def alive(self) -> None:
        """A step is over; raises Cancelled. Cheap to call often."""
        self.step()
        if time.monotonic() - self._checked > CANCEL_EVERY_S:
            self.check()

    def check(self) -> None:
        """Raise Cancelled where somebody asked to stop."""
        self._checked = time.monotonic()
        if self._kind.is_cancelled(self._row):
            raise Cancelled("Cancelled.")

    def __enter__(self) -> Self:
        # SQLite in memory has one connection, where a second thread must not write: reports renew the claim there.
        if not (connection.vendor == "sqlite" and connection.is_in_memory_db()):  # type: ignore[attr-defined]
            name = f"heartbeat-{self._kind.noun}-{self._row.pk}"
            self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(timeout=HEARTBEAT_EVERY_S + 5)

    def _watch(self) -> None:
        beaten, cancelled = time.monotonic(), 0.0
        while not self._over.wait(min(CANCEL_EVERY_S, HEARTBEAT_EVERY_S)):
            now = time.monotonic()
            hangs = now - self._step_began > self._kind.step_max_s
            try:
                close_old_connections()
                if hangs:
                    logger.error("%s %s hangs in a step", self._kind.noun, self._row.pk)
                    self._kind.take_back(self._row, self._kind.held(self._row), hung=True)
                elif now - beaten >= HEARTBEAT_EVERY_S:
                    beaten = now
                    if self._kind.held(self._row).update(heartbeat_at=timezone.now()) != 1:
                        break
                if cancelled and now - cancelled >= CANCEL_GRACE_S:
                    self._exit_cancelled()
                if self._in_worker and not cancelled and self._kind.is_cancelled(self._row):
                    cancelled = now
            except DatabaseError:  # locked or away for a moment: the next beat tells
                logger.warning("heartbeat of %s %s failed", self._kind.noun, self._row.pk, exc_info=True)
            if hangs:
                if self._in_worker:
                    os._exit(HUNG_EXIT_CODE)  # the hung thread cannot be ended, only its process
                break
        connection.close()

    def _exit_cancelled(self) -> None:
        logger.warning("%s %s was cancelled and is still busy; its process ends", self._kind.noun, self._row.pk)
        self._kind.close(self._row, RunState.CANCELLED)
        os._exit(CANCELLED_EXIT_CODE)


def _new_token() -> str:
    """A token of this process, by which others know whether it has ended."""
    return alive.process_name() + uuid.uuid4().hex[alive.NAME_CHARS :]


def _has_ended(row: Claimed) -> bool:
    """Whether the process that claimed the row has ended; False where that cannot be known."""
    return not alive.is_alive(row.token[: alive.NAME_CHARS])


def error_text(text: str) -> str:
    """A text that every database stores and every page shows: no NUL, no half characters, ERROR_BYTES_MAX at most."""
    lines = (plain_text(line, bytes_max=ERROR_BYTES_MAX) for line in text.splitlines())
    cleaned = "\n".join(line for line in lines if line)
    return cleaned.encode()[:ERROR_BYTES_MAX].decode(errors="ignore")


def cancel(job: Job, **values: Any) -> bool:
    """Ask a job to stop; one that waits ends at once, with `values`. False where it had ended."""
    same = type(job)._default_manager.filter(pk=job.pk)
    requested = same.exclude(state__in=FINISHED).update(cancel_requested=True)  # first, so that no claim comes between
    same.filter(state=RunState.QUEUED).update(state=RunState.CANCELLED, finished_at=timezone.now(), **values)
    return bool(requested)
