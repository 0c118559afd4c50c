"""Queues or gives up stages after one has ended, and ends the run, by queries over sets of rows.

After a stage of one episode only that episode and the stages over the whole collection are examined, so the cost does
not grow with the number of episodes.
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from ingest.models import FINISHED, PipelineRun, RunState, StageRun

NOT_BEGUN = (RunState.WAITING, RunState.QUEUED)
UNFINISHED = (*NOT_BEGUN, RunState.RUNNING)
BAD = (RunState.FAILED, RunState.CANCELLED)


def settle(run: PipelineRun, *, ended: StageRun | None = None) -> None:
    """Queue stages that are ready, and end the run if none is left; locks the run's row.

    With `ended`, a stage of this run that has just ended, only what it affects is examined.
    """
    with transaction.atomic():
        run = PipelineRun.objects.select_for_update().get(pk=run.pk)
        rows = StageRun.objects.filter(run=run)
        if run.cancel_requested:
            rows.filter(state__in=NOT_BEGUN).update(state=RunState.CANCELLED, finished_at=timezone.now())
        else:
            _queue_ready(rows, ended)
        _end(run, rows)


def _queue_ready(rows: QuerySet[StageRun], ended: StageRun | None) -> None:
    """Queue or give up stages in pipeline order; giving one up also gives up those that wait for it."""
    one_episode = ended is not None and ended.episode_id is not None
    episodes = Q(episode=ended.episode_id) if ended is not None and one_episode else Q(episode__isnull=False)
    while True:
        # Stages over the whole collection are few; the first unfinished one blocks all later stages.
        collection_stage = rows.filter(episode=None, state__in=UNFINISHED).order_by("order").first()
        reachable = Q() if collection_stage is None else Q(order__lt=collection_stage.order)
        _settle_episodes(rows, episodes, reachable)
        if collection_stage is None or collection_stage.state != RunState.WAITING:
            return
        before = rows.filter(order__lt=collection_stage.order)
        if before.filter(state__in=UNFINISHED).exists():
            return
        this = rows.filter(pk=collection_stage.pk)
        if before.filter(state=RunState.DONE).exists() or not before.exists():
            this.update(state=RunState.QUEUED)
            return
        _give_up(this)
        episodes = Q(episode__isnull=False)


def _settle_episodes(rows: QuerySet[StageRun], episodes: Q, reachable: Q) -> None:
    """A stage of an episode needs all earlier ones done; it is given up if one of them failed or was cancelled."""
    waiting = rows.filter(episodes, state=RunState.WAITING)
    before = StageRun.objects.filter(run=OuterRef("run"), episode=OuterRef("episode"), order__lt=OuterRef("order"))
    _give_up(waiting.filter(Exists(before.filter(state__in=BAD))))
    waiting.filter(reachable, ~Exists(before.exclude(state=RunState.DONE))).update(state=RunState.QUEUED)


def _give_up(rows: QuerySet[StageRun]) -> None:
    rows.update(state=RunState.CANCELLED, error="An earlier stage failed.", finished_at=timezone.now())


def _end(run: PipelineRun, rows: QuerySet[StageRun]) -> None:
    if rows.filter(state__in=UNFINISHED).exists() or not rows.exists():
        return
    outcome = RunState.DONE
    if rows.filter(state=RunState.FAILED).exists():
        outcome = RunState.FAILED
    elif run.cancel_requested:
        outcome = RunState.CANCELLED
    PipelineRun.objects.filter(pk=run.pk).exclude(state__in=FINISHED).update(state=outcome, finished_at=timezone.now())
