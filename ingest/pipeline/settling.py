"""What becomes ready when a stage has ended: queued, given up, or the run is over. All by queries over sets of rows.

An ended stage of one episode is followed by looking at that episode and at the stages over the whole collection, so the
cost of an ending does not grow with the number of episodes.
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
    """Queue what became ready and end the run when nothing is left; locks the run's row.

    With `ended`, a stage of this run that has just ended, only what its end can change is looked at.
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
    """In pipeline order: what is given up gives up what waits for it."""
    one_episode = ended is not None and ended.episode_id is not None
    episodes = Q(episode=ended.episode_id) if ended is not None and one_episode else Q(episode__isnull=False)
    while True:
        # Stages over the whole collection are few; the first that has not ended holds back all that come after it.
        whole = rows.filter(episode=None, state__in=UNFINISHED).order_by("order").first()
        reachable = Q() if whole is None else Q(order__lt=whole.order)
        _settle_episodes(rows, episodes, reachable)
        if whole is None or whole.state != RunState.WAITING:
            return
        before = rows.filter(order__lt=whole.order)
        if before.filter(state__in=UNFINISHED).exists():
            return
        this = rows.filter(pk=whole.pk)
        if before.filter(state=RunState.DONE).exists() or not before.exists():
            this.update(state=RunState.QUEUED)
            return
        _give_up(this)
        episodes = Q(episode__isnull=False)


def _settle_episodes(rows: QuerySet[StageRun], episodes: Q, reachable: Q) -> None:
    """An episode's stage needs those before it done; where one of them ended badly it never comes to it."""
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
