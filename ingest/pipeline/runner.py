"""Runs stages: claim, batches with heartbeat and cancel, save under the claim, finish, hand on to the next stage.

The database is the truth. A claim is a token on the StageRun row; whoever lost it cannot write any more.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import DatabaseError, close_old_connections, connection, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ingest import full_disk, quota
from ingest.errors import Cancelled, Conflict, KomaError, LostClaim
from ingest.full_disk import disk_is_full
from ingest.locking import hold, retried
from ingest.models import FINISHED, PipelineRun, RunState, StageRun
from ingest.pipeline import tallies
from ingest.pipeline.contract import Context, Stage, parse_params
from ingest.pipeline.registry import stage_named
from ingest.pipeline.settling import settle

logger = logging.getLogger(__name__)

Written = TypeVar("Written")

HEARTBEAT_MAX_AGE_S = 90  # older: the worker is dead or hangs; its stage goes to another
HEARTBEAT_EVERY_S = 5
CANCEL_EVERY_S = 2  # how often a stage at work looks whether its run was cancelled
CANCEL_GRACE_S = 4  # then a worker ends the process of a stage that does not stop by itself
CANCELLED_MAX_AGE_S = 20  # of a heartbeat: a worker that died in a cancelled run is not waited for
CANCELLED_EXIT_CODE = 71
ATTEMPTS_MAX = 5  # then the stage has failed: it kills or hangs its worker
BATCH_MAX_S = 900  # a batch that takes longer hangs: its claim is no longer renewed
HUNG_EXIT_CODE = 70
LOG_MAX_CHARS = 20_000
CLAIMS_MAX = 20  # lost to other workers, before the next call tries again


def execute_next(queue: str, *, models: dict[str, Any]) -> RunState | None:
    """For a worker: run the stage whose turn it is on a queue; None when none waits. Never raises for its failure.

    A batch that hangs ends the process, which is started again; the sweep re-queues the stage.
    """
    for _ in range(CLAIMS_MAX):  # other workers choose the same
        chosen = next_in(queue)
        if chosen is None:
            return None
        stage_run = claim(chosen)
        if stage_run is not None:
            return _execute(stage_run, models=models, exit_when_hung=True)
    return None


def next_in(queue: str) -> int | None:
    """The key of the queued stage whose turn it is: of the collection that was served least recently, there of the run
    that was, there the first in pipeline order. So nobody's many episodes keep others waiting for more than a stage."""
    waiting = StageRun.objects.filter(state=RunState.QUEUED, queue=queue)
    served = PipelineRun.objects.filter(collection=OuterRef("collection"), served_at__isnull=False)
    run = (
        PipelineRun.objects.exclude(state__in=FINISHED)
        .filter(Exists(waiting.filter(run=OuterRef("pk"))))
        .annotate(collection_served=Subquery(served.order_by("-served_at").values("served_at")[:1]))
        .order_by(F("collection_served").asc(nulls_first=True), F("served_at").asc(nulls_first=True), "pk")
        .values_list("pk", flat=True)
        .first()
    )
    return None if run is None else waiting.filter(run=run).order_by("order", "pk").values_list("pk", flat=True).first()


def execute(stage_run_id: int, *, models: dict[str, Any] | None = None) -> RunState | None:
    """Run one queued stage to its end in this process; None when somebody else had it. Never raises for its failure."""
    stage_run = claim(stage_run_id)
    return None if stage_run is None else _execute(stage_run, models={} if models is None else models)


def _execute(stage_run: StageRun, *, models: dict[str, Any], exit_when_hung: bool = False) -> RunState | None:
    try:
        stage = _open(stage_run, models)
        with _heartbeat(stage_run, exit_when_hung=exit_when_hung) as beating:
            try:
                if stage.applies():
                    _run(stage, beating)
            finally:
                beating()
                stage.close()  # under the heartbeat: it can hang as a batch can
                if stage.writes_files and stage_run.episode is not None:
                    quota.mark_changed(stage_run.episode)
        close(stage_run, RunState.DONE)
    except Cancelled:
        close(stage_run, RunState.CANCELLED)
    except LostClaim:
        logger.warning("stage run %s was taken over by another worker", stage_run.pk)
        return None
    except KomaError as error:
        close(stage_run, RunState.FAILED, error=error.message)
    except Exception as error:  # the one place: a failing stage must end as a row that says so
        logger.exception("stage run %s failed", stage_run.pk)
        text = f"{stage_run.stage} broke with {type(error).__name__}: {error}. The log of the worker has the details."
        if disk_is_full(error):
            text = f"{full_disk.WORDS} Then press Retry."
        close(stage_run, RunState.FAILED, error=text)
    stage_run.refresh_from_db()
    return RunState(stage_run.state)


def claim(stage_run_id: int) -> StageRun | None:
    """Take a queued stage by a conditional UPDATE; None when it is not queued any more."""
    token = uuid.uuid4().hex
    now = timezone.now()
    taken = StageRun.objects.filter(pk=stage_run_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING,
        token=token,
        worker=f"{socket.gethostname()}:{os.getpid()}",
        attempt=F("attempt") + 1,
        started_at=now,
        heartbeat_at=now,
        error="",
    )
    if taken != 1:
        return None
    stage_run = StageRun.objects.select_related("run__collection", "episode__source").get(pk=stage_run_id)
    PipelineRun.objects.filter(pk=stage_run.run_id).update(served_at=now)
    PipelineRun.objects.filter(pk=stage_run.run_id, state=RunState.QUEUED).update(state=RunState.RUNNING)
    return stage_run


def _open(stage_run: StageRun, models: dict[str, Any]) -> Stage[Any, Any]:
    stage_type = stage_named(stage_run.stage)
    params = parse_params(stage_type.params_type, stage_run.run.params.get(stage_run.stage, {}), stage=stage_run.stage)
    # Counters are kept with the rows they count; a stage that was interrupted counts on from there.
    ctx = Context(
        stage_run=stage_run,
        run=stage_run.run,
        collection=stage_run.run.collection,
        episode=stage_run.episode,
        params=params,
        models=models,
        counters=dict(stage_run.counters),
        done=stage_run.done,
    )
    return stage_type(ctx)


def _run(stage: Stage[Any, Any], beating: Callable[[], None]) -> None:
    """Batches: check for cancel, work outside the database, save under the claim."""
    ctx = stage.ctx
    timings = {"read": 0.0, "work": 0.0, "save": 0.0}
    saved = 0
    started = time.perf_counter()
    ctx.alive = _alive(ctx.stage_run, beating)
    if stage.writes_files:
        ctx.spend = quota.Allowance(ctx.collection, ctx.episode, again=stage.begins_again).spend
    for batch in _timed(stage.batches(), timings):
        beating()
        _check_cancel(ctx.stage_run)
        before = time.perf_counter()
        result = stage.work(batch)
        timings["work"] += time.perf_counter() - before
        before = time.perf_counter()

        def save(result: Any = result, saved: int = saved, before: float = before) -> int:
            done = saved + stage.save(result)
            taken = timings | {"save": timings["save"] + time.perf_counter() - before}
            _progress(ctx, saved=done, timings=taken | {"total": time.perf_counter() - started})
            return done

        saved = _written(stage, save)
        timings["save"] += time.perf_counter() - before

    def finish() -> None:
        stage.finish()
        ctx.total = max(ctx.total, saved)
        _progress(ctx, saved=ctx.total, timings=timings | {"total": time.perf_counter() - started})

    _written(stage, finish)


def _written(stage: Stage[Any, Any], write: Callable[[], Written]) -> Written:
    """What `write` returns: all of it in one transaction, under the collection's lock and then under our claim.

    People write under the same lock, so a stage that looks at a row again while it saves sees their last word. Where
    the database gave the transaction up for another one, it is written once more; what the stage and its context kept
    of the first time is as it was before.
    """
    ctx = stage.ctx
    kept, counters, lines, log = dict(vars(stage)), dict(ctx.counters), list(ctx.log_lines), ctx.stage_run.log

    def in_transaction() -> Written:
        with transaction.atomic():
            try:
                hold(ctx.run.collection_id)
            except Conflict as error:
                raise LostClaim("The collection was deleted.") from error
            hold_claim(ctx.stage_run)
            return write()

    def as_before() -> None:
        vars(stage).update(kept)
        ctx.counters.clear()
        ctx.counters.update(counters)
        ctx.log_lines[:], ctx.stage_run.log = lines, log

    return retried(in_transaction, before_retry=as_before)


def _timed(batches: Iterator[Any], timings: dict[str, float]) -> Iterator[Any]:
    """The same batches; the time spent waiting for each is added to timings["read"]."""
    while True:
        before = time.perf_counter()
        try:
            batch = next(batches)
        except StopIteration:
            return
        finally:
            timings["read"] += time.perf_counter() - before
        yield batch


def hold_claim(stage_run: StageRun) -> None:
    """Prove inside the transaction that the claim is still ours; the UPDATE also locks the row against the sweep."""
    held = StageRun.objects.filter(pk=stage_run.pk, token=stage_run.token, state=RunState.RUNNING).update(
        heartbeat_at=timezone.now()
    )
    if held != 1:
        raise LostClaim("Another worker has this stage now.")


def _check_cancel(stage_run: StageRun) -> None:
    if _is_cancelled(stage_run):
        raise Cancelled("Cancelled.")


def _is_cancelled(stage_run: StageRun) -> bool:
    return PipelineRun.objects.filter(pk=stage_run.run_id, cancel_requested=True).exists()


def _alive(stage_run: StageRun, beating: Callable[[], None]) -> Callable[[], None]:
    """`Context.alive`: cheap to call often."""
    asked = [time.monotonic()]

    def alive() -> None:
        beating()
        if time.monotonic() - asked[0] > CANCEL_EVERY_S:
            asked[0] = time.monotonic()
            _check_cancel(stage_run)

    return alive


def _progress(ctx: Context, *, saved: int, timings: dict[str, float]) -> None:
    values: dict[str, Any] = {
        "done": ctx.done + saved,
        "total": ctx.done + max(ctx.total, saved),
        "counters": ctx.counters,
        "timings": {k: round(v, 3) for k, v in (ctx.timings | timings).items()},
        "device": ctx.device,
    }
    if ctx.log_lines:
        values["log"] = (ctx.stage_run.log + "".join(f"{line}\n" for line in ctx.log_lines))[-LOG_MAX_CHARS:]
    StageRun.objects.filter(pk=ctx.stage_run.pk, token=ctx.stage_run.token).update(**values)
    if ctx.log_lines:
        ctx.stage_run.log = values["log"]
        ctx.log_lines.clear()


@contextmanager
def _heartbeat(stage_run: StageRun, *, exit_when_hung: bool) -> Iterator[Callable[[], None]]:
    """Renew the claim from a thread while a batch works, for at most BATCH_MAX_S a batch; yields "a new batch begins".

    With `exit_when_hung` the thread also ends the process where the run was cancelled and the stage does not hear it:
    a call into a library that takes minutes cannot be interrupted otherwise, and nothing unsaved is worth waiting for.
    SQLite in tests shares one in-memory connection, where a second thread must not write: batches renew it there.
    """
    began = [time.monotonic()]

    def beating() -> None:
        began[0] = time.monotonic()

    if connection.vendor == "sqlite" and connection.is_in_memory_db():  # type: ignore[attr-defined]
        yield beating
        return
    stop = threading.Event()

    def beat() -> None:
        beaten, cancelled = time.monotonic(), 0.0
        while not stop.wait(CANCEL_EVERY_S):
            now = time.monotonic()
            if now - began[0] > BATCH_MAX_S:
                logger.error("stage run %s hangs: one batch took over %s s", stage_run.pk, BATCH_MAX_S)
                if exit_when_hung:
                    os._exit(HUNG_EXIT_CODE)  # the hung thread cannot be ended, only its process
                break
            try:
                close_old_connections()
                if now - beaten >= HEARTBEAT_EVERY_S:
                    beaten = now
                    row = StageRun.objects.filter(pk=stage_run.pk, token=stage_run.token, state=RunState.RUNNING)
                    if row.update(heartbeat_at=timezone.now()) != 1:
                        break
                if cancelled and now - cancelled >= CANCEL_GRACE_S:
                    _exit_cancelled(stage_run)
                if exit_when_hung and not cancelled and _is_cancelled(stage_run):
                    cancelled = now
            except DatabaseError:  # locked or away for a moment: the next beat tells
                logger.warning("heartbeat of stage run %s failed", stage_run.pk, exc_info=True)
        connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{stage_run.pk}", daemon=True)
    thread.start()
    try:
        yield beating
    finally:
        stop.set()
        thread.join(timeout=HEARTBEAT_EVERY_S + 5)


def _exit_cancelled(stage_run: StageRun) -> None:
    logger.warning("stage run %s was cancelled and is still busy; its process ends", stage_run.pk)
    close(stage_run, RunState.CANCELLED)
    os._exit(CANCELLED_EXIT_CODE)


def close(stage_run: StageRun, state: RunState, *, error: str = "") -> None:
    """End the stage under its claim, and let what waited for it begin: together, so that no kill comes between."""
    error = error.encode("utf-8", "replace").decode().replace("\0", "")  # a file's name may hold what no database takes
    log = stage_run.log + (f"{error}\n" if error else "")
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().get(pk=stage_run.run_id)
        ended = StageRun.objects.filter(pk=stage_run.pk, token=stage_run.token).update(
            state=state, error=error, log=log[-LOG_MAX_CHARS:], finished_at=timezone.now()
        )
        if ended:
            if state == RunState.DONE:
                tallies.keep(run, stage_run)
            settle(run, ended=stage_run)


def sweep(*, max_age_s: float = HEARTBEAT_MAX_AGE_S) -> QuerySet[StageRun]:
    """Take back stages whose worker died or hangs, settle open runs; returns all stages that wait in a queue now."""
    old = timezone.now() - timedelta(seconds=max_age_s)
    soon = max(old, timezone.now() - timedelta(seconds=CANCELLED_MAX_AGE_S))
    silent = Q(heartbeat_at__lt=old) | Q(heartbeat_at__lt=soon, run__cancel_requested=True)
    for row in StageRun.objects.filter(silent, state=RunState.RUNNING):
        mine = StageRun.objects.filter(
            pk=row.pk, token=row.token, state=RunState.RUNNING, heartbeat_at=row.heartbeat_at
        )
        if row.attempt >= ATTEMPTS_MAX:
            mine.update(
                state=RunState.FAILED,
                token="",
                finished_at=timezone.now(),
                error=f"The worker died or hung {row.attempt} times in this stage; see its log, then press Retry.",
            )
        else:
            line = f"The worker {row.worker} stopped answering; the stage goes on from what it saved.\n"
            mine.update(state=RunState.QUEUED, token="", log=row.log + line)
    for run in PipelineRun.objects.exclude(state__in=FINISHED):
        settle(run)
    return (
        StageRun.objects.filter(state=RunState.QUEUED)
        .exclude(run__state__in=FINISHED)
        .order_by("run_id", "order", "pk")
    )
