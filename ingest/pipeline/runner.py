"""Runs stages: checks for a cancel before each batch, saves it under the claim, then queues the stages that waited.

`ingest.pipeline.claims` has the rules of all claimed work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone

from ingest.errors import Conflict, LostClaim
from ingest.locking import hold, retried
from ingest.models import FINISHED, PipelineRun, RunState, StageRun
from ingest.pipeline import tallies
from ingest.pipeline.claims import HEARTBEAT_MAX_AGE_S, Kind, Reporter, error_text
from ingest.pipeline.contract import Context, Stage, parse_params
from ingest.pipeline.registry import stage_named
from ingest.pipeline.settling import settle
from ingest.storage import quota

Written = TypeVar("Written")

LOG_MAX_CHARS = 20_000
CLAIMS_MAX = 20  # claims lost to other workers before the next call tries again


class StageKind(Kind[StageRun]):
    """Stages of runs: cancelled with their run; stages that wait for one are queued when it ends."""

    def __init__(self) -> None:
        related = ("run__collection", "episode__source")
        super().__init__(StageRun, noun="stage", retry="press Retry", related=related)
        self.cancelled = Q(run__cancel_requested=True)

    def claim(self, pk: int) -> StageRun | None:
        """Claim a stage and mark its run as running and just served."""
        stage_run = super().claim(pk)
        if stage_run is not None:
            run = PipelineRun.objects.filter(pk=stage_run.run_id)
            run.update(served_at=stage_run.started_at)
            run.filter(state=RunState.QUEUED).update(state=RunState.RUNNING)
        return stage_run

    def close(self, row: StageRun, state: RunState, *, error: str = "", **values: Any) -> bool:
        """End a stage and update its run in one transaction, so that a kill cannot separate them."""
        log = row.log + (f"{error_text(error)}\n" if error else "")
        with transaction.atomic():
            run = PipelineRun.objects.select_for_update().filter(pk=row.run_id).first()
            ended = run is not None and super().close(row, state, error=error, log=log[-LOG_MAX_CHARS:], **values)
            if run is None or not ended:
                return False
            if state == RunState.DONE:
                tallies.keep(run, row)
            settle(run, ended=row)
        return True

    def taken_back_values(self, row: StageRun) -> dict[str, Any]:
        line = f"The worker {row.worker} stopped responding; the stage resumes from its last save.\n"
        return {"log": row.log + line}


STAGES = StageKind()
Report = Reporter[StageRun]


def execute_next(queue: str, *, models: dict[str, Any]) -> RunState | None:
    """For workers: run the next stage of a queue; None if none waits. Never raises for a failed stage.

    A batch that hangs ends the process, which is restarted; the sweep queues the stage again.
    """
    for _ in range(CLAIMS_MAX):  # other workers choose the same
        chosen = next_in(queue)
        if chosen is None:
            return None
        stage_run = STAGES.claim(chosen)
        if stage_run is not None:
            return _execute(stage_run, models=models, in_worker=True)
    return None


def next_in(queue: str) -> int | None:
    """The key of the next queued stage: of the collection that was served least recently, then of its least recently
    served run, then the first in pipeline order, so that nobody waits for more than one stage of others."""
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
    """Run one queued stage in this process; None if another worker has it. Never raises for a failed stage."""
    stage_run = STAGES.claim(stage_run_id)
    return None if stage_run is None else _execute(stage_run, models={} if models is None else models)


def _execute(stage_run: StageRun, *, models: dict[str, Any], in_worker: bool = False) -> RunState | None:
    def work(report: Report) -> None:
        stage = _open(stage_run, models)
        try:
            if stage.applies():
                _run(stage, report)
        finally:
            report.step()
            stage.close()  # under the heartbeat: it can hang as a batch can
            if stage.writes_files and stage_run.episode is not None:
                quota.mark_changed(stage_run.episode)

    return STAGES.run(stage_run, work, in_worker=in_worker)


def _open(stage_run: StageRun, models: dict[str, Any]) -> Stage[Any, Any]:
    stage_type = stage_named(stage_run.stage)
    params = parse_params(stage_type.params_type, stage_run.run.params.get(stage_run.stage, {}), stage=stage_run.stage)
    # Counters are stored with the rows they count, so an interrupted stage continues counting.
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


def _run(stage: Stage[Any, Any], report: Report) -> None:
    """Run the batches: check for a cancel, work outside the database, save under the claim."""
    ctx = stage.ctx
    timings = {"read": 0.0, "work": 0.0, "save": 0.0}
    saved = 0
    started = time.perf_counter()
    ctx.alive = report.alive
    if stage.writes_files:
        ctx.spend = quota.Allowance(ctx.collection, ctx.episode, again=stage.begins_again).spend
    for batch in _timed(stage.batches(), timings):
        report.step()
        report.check()
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
    """Call `write` in one transaction, under the collection's lock and the stage's claim; returns its result.

    People write under the same lock, so a stage that reads a row again while saving sees their latest decision. If the
    database aborts the transaction because of another one, it is repeated after the stage and its context were reset.
    """
    ctx = stage.ctx
    attributes, counters, lines, log = dict(vars(stage)), dict(ctx.counters), list(ctx.log_lines), ctx.stage_run.log

    def in_transaction() -> Written:
        with transaction.atomic():
            try:
                hold(ctx.run.collection_id)
            except Conflict as error:
                raise LostClaim("The collection was deleted.") from error
            hold_claim(ctx.stage_run)
            return write()

    def as_before() -> None:
        vars(stage).update(attributes)
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
    if STAGES.held(stage_run).update(heartbeat_at=timezone.now()) != 1:
        raise LostClaim("Another worker has this stage now.")


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


def sweep(*, max_age_s: float = HEARTBEAT_MAX_AGE_S) -> QuerySet[StageRun]:
    """Take back stages whose worker died or hangs, settle open runs; returns all stages that wait in a queue now."""
    STAGES.take_back_dead(max_age_s=max_age_s)
    for run in PipelineRun.objects.exclude(state__in=FINISHED):
        settle(run)
    return STAGES.waiting().exclude(run__state__in=FINISHED).order_by("run_id", "order", "pk")
