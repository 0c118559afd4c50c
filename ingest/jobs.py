"""Thin RQ entry points: ids only. Redis is transport; when it is gone the rows wait and the sweep sends them again."""

from __future__ import annotations

import logging

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError
from rq.job import JobStatus

from ingest.actions import full_pictures
from ingest.models import StageRun
from ingest.pipeline import runner
from ingest.pipeline.opened_models import OpenedModels

logger = logging.getLogger(__name__)

OVER = (JobStatus.FINISHED, JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)
MODELS = OpenedModels()  # lives as long as the process, which for the gpu queue is one


def run_stage(stage_run_id: int) -> str:
    """Execute one stage, then send what became ready."""
    with MODELS.working():
        state = runner.execute(stage_run_id, models=MODELS, exit_when_hung=True)
    stage_run = StageRun.objects.select_related("run").get(pk=stage_run_id)
    send(list(stage_run.run.stages.filter(state="queued")))
    return str(state)


def send(stage_runs: list[StageRun]) -> bool:
    """Put stages on their queues; a job that waits there already is left alone. False when Redis cannot be reached.

    Call it after the commit: a worker may begin at once.
    """
    for row in stage_runs:
        try:
            _send_one(row)
        except RedisError:
            logger.warning("Redis cannot be reached; stage run %s waits in the database", row.pk)
            return False
    return True


def _send_one(row: StageRun) -> None:
    """Enqueue under a name that tells the attempt, so that one attempt waits in the queue once."""
    queue = django_rq.get_queue(row.queue, commit_mode="auto")
    name = f"stage-{row.pk}-{row.attempt}"
    job = queue.fetch_job(name)
    if job is not None and job.get_status() in OVER:
        job.delete()  # its worker died before it claimed the stage
    try:
        queue.enqueue_call(
            "ingest.jobs.run_stage", args=(row.pk,), job_id=name, result_ttl=600, failure_ttl=86_400, unique=True
        )
    except DuplicateJobError:
        return


def sweep() -> int:
    """Re-queue what died, start what lacks full pictures, send everything that waits; returns how many wait.

    Called by every worker now and then.
    """
    full_pictures.start_wanting()
    MODELS.tidy()
    waiting = runner.sweep()
    send(waiting)
    return len(waiting)
