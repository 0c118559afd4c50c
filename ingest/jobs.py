"""Thin RQ entry points: Redis is transport; when it is gone the rows wait and the sweep calls for them again."""

from __future__ import annotations

import logging
import uuid

import django_rq
from django.conf import settings
from redis.exceptions import RedisError
from rq import Worker
from rq.job import JobStatus

from ingest import once, quota
from ingest.actions import full_pictures
from ingest.models import FINISHED, RunState, StageRun
from ingest.pipeline import runner
from ingest.pipeline.opened_models import OpenedModels

logger = logging.getLogger(__name__)

OVER = (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)
CALL = "stage-"  # how the ids of our calls begin: other apps' jobs are on these queues too
MODELS = OpenedModels()  # lives as long as the process, which for the gpu queue is one


def run_next(queue: str) -> str:
    """Execute the stage whose turn it is on a queue, then call for what became ready."""
    with MODELS.working():
        state = runner.execute_next(queue, models=MODELS)
    wake()
    return str(state)


def wake() -> bool:
    """Put calls on each queue on which stages wait, as many as can be answered. False when Redis cannot be reached.

    A call names no stage: the worker takes the one whose turn it is by the database. So a queue holds no more calls
    than there are workers, whatever waits, and other work on it comes soon. One call too many finds nothing; one too
    few is made good by the next stage that ends, or by the sweep. Call it after the commit: a worker may begin at once.
    """
    for name in settings.RQ_QUEUES:
        waiting = StageRun.objects.filter(state=RunState.QUEUED, queue=name).exclude(run__state__in=FINISHED)
        if not waiting.exists():
            continue
        try:
            queue = django_rq.get_queue(name, commit_mode="auto")
            workers = max(1, Worker.count(queue=queue))
            called = sum(job.startswith(CALL) for job in queue.get_job_ids())
            for _ in range(waiting[:workers].count() - called):
                queue.enqueue_call(
                    "ingest.jobs.run_next", args=(name,), job_id=f"{CALL}{uuid.uuid4().hex}", result_ttl=0,
                    failure_ttl=86_400,
                )  # fmt: skip
        except RedisError:
            logger.warning("Redis cannot be reached; stages wait in the database")
            return False
    return True


def sweep() -> int:
    """Re-queue what died, start what lacks full pictures, call workers for what waits; returns how many stages wait.

    Called by every worker now and then.
    """
    full_pictures.start_wanting()
    quota.measure_changed()
    MODELS.tidy()
    once.tidy()
    waiting = runner.sweep()
    wake()
    return waiting.count()
