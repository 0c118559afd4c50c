"""Runs stages: batches with a check for cancel, saved under the claim, then on to what waited for the stage.

What holds for all claimed work is in `ingest.pipeline.claims`.
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
CLAIMS_MAX = 20  # lost to other workers, before the next call tries again


class StageKind(Kind[StageRun]):
    """Stages of runs: cancelled with their run, and what waited for one begins as it ends."""

    def __init__(self) -> None:
        related = ("run__collection", "episode__source")
        super().__init__(StageRun, noun="stage", retry="press Retry", related=related)
        self.cancelled = Q(run__cancel_requested=True)

    def claim(self, pk: int) -> StageRun | None:
        """Its run is at work then, and was served."""
        stage_run = super().claim(pk)
        if stage_run is not None:
            run = PipelineRun.objects.filter(pk=stage_run.run_id)
            run.update(served_at=stage_run.started_at)
            run.filter(state=RunState.QUEUED).update(state=RunState.RUNNING)
        return stage_run

    def close(self, row: StageRun, state: RunState, *, error: str = "", **values: Any) -> bool:
        """With what its end changes in the run: together, so that no kill comes between."""
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
        line = f"The worker {row.worker} stopped answering; the stage goes on from what it saved.\n"
        return {"log": row.log + line}


STAGES = StageKind()
Report = Reporter[StageRun]


def execute_next(queue: str, *, models: dict[str, Any]) -> RunState | None:
    """For a worker: run the stage whose turn it is on a queue; None when none waits. Never raises for its failure.

    A batch that hangs ends the process, which is started again; the sweep re-queues the stage.
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


def _run(stage: Stage[Any, Any], report: Report) -> None:
    """Batches: check for cancel, work outside the database, save under the claim."""
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
    """What `write` returns: all of it in one transaction, under the collection's lock and then under our claim.

    People write under the same lock, so a stage that looks at a row again while it saves sees their last word. Where
    the database gave the transaction up for another one, it is written once more; what the stage and its context kept
    of the first time is as it was before.
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
