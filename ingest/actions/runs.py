"""Start, cancel, resume and retry runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from ingest.errors import BadInput, Conflict
from ingest.locking import hold
from ingest.models import FINISHED, Collection, Episode, PipelineRun, RunState, StageRun
from ingest.pipeline import runner
from ingest.pipeline.contract import parse_params
from ingest.pipeline.registry import stage_named, stages
from ingest.pipeline.settings import saved_settings
from ingest.pipeline.settling import settle
from ingest.version import VERSION


def start(
    *,
    collection: Collection,
    episodes: Sequence[Episode],
    by: Any,
    stage_names: Sequence[str] | None = None,
    params: dict[str, dict[str, Any]] | None = None,
) -> PipelineRun:
    """Create a run of the named stages (None: all that run by default) and queue its first stages.

    Missing parameters come from the collection's defaults. The caller wakes the workers on commit (`ingest.jobs`).
    Raises BadInput for an unknown stage or parameter, Conflict when an episode is in an unfinished run already.
    """
    names = [
        name for name, stage in stages().items() if (stage.by_default() if stage_names is None else name in stage_names)
    ]
    for name in stage_names or ():
        stage_named(name)
    for name in params or {}:
        stage_named(name)
    chosen = {
        name: saved_settings(stage_named(name), collection.run_defaults) | dict((params or {}).get(name, {}))
        for name in names
    }
    for name, values in chosen.items():
        parse_params(stage_named(name).params_type, values, stage=name)
    if not names:
        raise BadInput("Choose at least one stage.")
    with transaction.atomic():
        hold(collection)  # two leads who press the button at once take turns
        busy = StageRun.objects.filter(
            episode_id__in=[episode.pk for episode in episodes], run__state__in=(RunState.QUEUED, RunState.RUNNING)
        ).select_related("episode")
        if first := busy.first():
            raise Conflict(f"{first.episode} is in a run already; wait for it or cancel it.")
        run = PipelineRun.objects.create(collection=collection, created_by=by, params=chosen, code_version=VERSION)
        rows = []
        for order, name in enumerate(stages()):
            if name not in names:
                continue
            stage = stages()[name]
            targets: list[Episode | None] = list(episodes) if stage.per_episode else [None]
            rows += [StageRun(run=run, episode=e, stage=name, order=order, queue=stage.queue) for e in targets]
        StageRun.objects.bulk_create(rows)
        settle(run)
    return run


def cancel(run: PipelineRun, *, by: Any) -> None:
    """Ask a run to stop; running stages stop after their batch, saved work is kept."""
    PipelineRun.objects.filter(pk=run.pk).exclude(state__in=FINISHED).update(cancel_requested=True)
    settle(run)


def resume(run: PipelineRun, *, by: Any) -> PipelineRun:
    """Resume a cancelled or failed run: unfinished stages wait again, finished ones stay done."""
    with transaction.atomic():
        locked = PipelineRun.objects.select_for_update().get(pk=run.pk)
        if locked.state not in (RunState.CANCELLED, RunState.FAILED):
            raise Conflict(f"This run is {locked.state}; only a cancelled or failed one can be resumed.")
        locked.state = RunState.QUEUED
        locked.cancel_requested = False
        locked.finished_at = None
        locked.save(update_fields=["state", "cancel_requested", "finished_at"])
        locked.stages.filter(state__in=(RunState.CANCELLED, RunState.FAILED)).update(
            state=RunState.WAITING, attempt=0, error="", finished_at=None, token=""
        )
        settle(locked)
    return locked


def run_here(run: PipelineRun, *, models: dict[str, Any] | None = None) -> PipelineRun:
    """Run all stages of a run in this process, one after the other, without Redis."""
    models = {} if models is None else models
    while waiting := list(run.stages.filter(state=RunState.QUEUED).order_by("order", "pk")[:1]):
        runner.execute(waiting[0].pk, models=models)
    run.refresh_from_db()
    return run
