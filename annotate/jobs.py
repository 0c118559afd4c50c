"""Thin RQ entry points: the database decides whose turn it is. If Redis was gone, the sweep queues what waits."""

from __future__ import annotations

from django.db.models import QuerySet

from annotate.evaluation import evaluation_jobs
from annotate.evaluation.evaluation_jobs import EVALUATIONS
from annotate.model_library import model_jobs
from annotate.model_library.model_jobs import MODEL_JOBS
from annotate.models import ModelJob
from ingest import turns

NETWORKS, FILES = "gpu", "io"  # queues
TIMEOUT_S = 12 * 3600  # enough for many gigabytes over a slow connection


def run_model_job(queue: str) -> str:
    """Execute the next model job (download, check, import or timing), of the user served least recently."""
    chosen = MODEL_JOBS.next_of(_model_jobs(queue), party="created_by")
    state = None if chosen is None else model_jobs.execute(chosen, in_worker=True)
    wake()
    return str(state)


def run_evaluation() -> str:
    """Execute the next measurement, of the collection served least recently."""
    chosen = EVALUATIONS.next_of(EVALUATIONS.waiting(), party="collection")
    state = None if chosen is None else evaluation_jobs.execute(chosen, in_worker=True)
    wake()
    return str(state)


def wake() -> bool:
    """Queue calls for what waits; see `turns.call`. False when Redis cannot be reached."""
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
                NETWORKS, "annotate.jobs.run_evaluation", kind="evaluation-", waiting=EVALUATIONS.waiting().count(),
                timeout_s=TIMEOUT_S,
            ),
        ]
    )  # fmt: skip


def sweep() -> int:
    """Requeue dead jobs and queue calls for all that wait; return how many wait."""
    for kind in (MODEL_JOBS, EVALUATIONS):
        kind.take_back_dead()
    wake()
    return MODEL_JOBS.waiting().count() + EVALUATIONS.waiting().count()


def _model_jobs(queue: str) -> QuerySet[ModelJob]:
    """Select the jobs that wait for a queue."""
    waiting, measure = MODEL_JOBS.waiting(), ModelJob.Act.MEASURE
    return waiting.filter(act=measure) if queue == NETWORKS else waiting.exclude(act=measure)
