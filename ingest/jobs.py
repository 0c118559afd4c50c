"""Thin RQ entry points: ids only. Redis is transport; when it is gone the rows wait and the sweep sends them again."""

from __future__ import annotations

import logging
from typing import Any

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

from ingest.models import StageRun
from ingest.pipeline import runner

logger = logging.getLogger(__name__)

MODELS: dict[str, Any] = {}  # loaded models; lives as long as the process, which for the gpu queue is one


def run_stage(stage_run_id: int) -> str:
    """Execute one stage, then send what became ready."""
    state = runner.execute(stage_run_id, models=MODELS, exit_when_hung=True)
    stage_run = StageRun.objects.select_related("run").get(pk=stage_run_id)
    send(list(stage_run.run.stages.filter(state="queued")))
    return str(state)


def send(stage_runs: list[StageRun]) -> bool:
    """Put stages on their queues; a job that waits there already is left alone. False when Redis cannot be reached."""
    for row in stage_runs:
        job_id = f"stage-{row.pk}-{row.attempt}"
        try:
            django_rq.get_queue(row.queue).enqueue_call(
                "ingest.jobs.run_stage", args=(row.pk,), job_id=job_id, result_ttl=600, failure_ttl=86_400, unique=True
            )
        except DuplicateJobError:
            continue
        except RedisError:
            logger.warning("Redis cannot be reached; stage run %s waits in the database", row.pk)
            return False
    return True


def sweep() -> int:
    """Re-queue what died, send everything that waits; returns how many wait. Called by every worker now and then."""
    waiting = runner.sweep()
    send(waiting)
    return len(waiting)
