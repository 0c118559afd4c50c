"""Thin RQ entry points: whose turn it is stands in the database. When Redis is gone the sweep calls for what waits."""

from __future__ import annotations

from django.db.models import QuerySet

from annotate.evaluation import evaluation_jobs
from annotate.model_library import model_jobs
from annotate.models import Evaluation, ModelJob
from ingest import turns
from ingest.models import RunState

NETWORKS, FILES = "gpu", "io"  # queues
TIMEOUT_S = 12 * 3600  # a slow line and a model of many gigabytes


def run_model_job(queue: str) -> str:
    """Execute the download, check, import or timing of a model whose turn it is: of whom was served least recently."""
    chosen = turns.next_of(_model_jobs(queue), ModelJob.objects.all(), party="created_by", served="started_at")
    state = None if chosen is None else model_jobs.execute(chosen)
    wake()
    return str(state)


def run_evaluation() -> str:
    """Execute the measurement whose turn it is: of the collection that was served least recently."""
    waiting = Evaluation.objects.filter(state=RunState.QUEUED)
    chosen = turns.next_of(waiting, Evaluation.objects.all(), party="collection", served="heartbeat_at")
    state = None if chosen is None else evaluation_jobs.execute(chosen)
    wake()
    return str(state)


def wake() -> bool:
    """Call for workers where something waits: see `turns.call`. False when Redis cannot be reached."""
    asked = Evaluation.objects.filter(state=RunState.QUEUED).count()
    return all(
        [
            *(
                turns.call(
                    queue, "annotate.jobs.run_model_job", queue, kind="model-job-",
                    waiting=_model_jobs(queue).count(), timeout_s=TIMEOUT_S,
                )
                for queue in (NETWORKS, FILES)
            ),
            turns.call(
                NETWORKS, "annotate.jobs.run_evaluation", kind="evaluation-", waiting=asked, timeout_s=TIMEOUT_S
            ),
        ]
    )  # fmt: skip


def sweep() -> int:
    """Take back or fail what died, call for everything that waits; returns how many wait."""
    waiting = model_jobs.take_back_dead()
    evaluation_jobs.fail_dead()
    wake()
    return len(waiting) + Evaluation.objects.filter(state=RunState.QUEUED).count()


def _model_jobs(queue: str) -> QuerySet[ModelJob]:
    """Those that wait for a queue."""
    waiting, measure = ModelJob.objects.filter(state=RunState.QUEUED), ModelJob.Act.MEASURE
    return waiting.filter(act=measure) if queue == NETWORKS else waiting.exclude(act=measure)
