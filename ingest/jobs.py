"""Thin RQ entry points: Redis is only transport; while it is down the rows wait, and the sweep wakes workers later."""

from __future__ import annotations

from django.conf import settings

from ingest import turns
from ingest.actions import full_pictures, sent_forms
from ingest.models import FINISHED, RunState, StageRun
from ingest.pipeline import runner
from ingest.pipeline.opened_models import OpenedModels
from ingest.storage import quota

CALL = "stage-"
CALLS_MAX = 1_000  # nobody has more workers: what waits is not counted further
MODELS = OpenedModels()  # lives as long as the process, which for the gpu queue is one


def run_next(queue: str) -> str:
    """Run the next stage of a queue, then wake workers for what has become ready."""
    with MODELS.working():
        state = runner.execute_next(queue, models=MODELS)
    wake()
    return str(state)


def wake() -> bool:
    """Wake workers of each queue with waiting stages, see `turns.call`. False when Redis cannot be reached."""
    for name in settings.RQ_QUEUES:
        waiting = StageRun.objects.filter(state=RunState.QUEUED, queue=name).exclude(run__state__in=FINISHED)
        if not turns.call(name, "ingest.jobs.run_next", name, kind=CALL, waiting=waiting[:CALLS_MAX].count()):
            return False
    return True


def sweep() -> int:
    """Re-queue what died, start what lacks full pictures, call workers for what waits; returns how many stages wait.

    Called by every worker now and then.
    """
    full_pictures.start_lacking()
    quota.measure_changed()
    MODELS.tidy()
    sent_forms.tidy()
    waiting = runner.sweep()
    wake()
    return waiting.count()
