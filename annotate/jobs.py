"""Thin RQ entry points: ids only. When Redis is gone the rows wait and the sweep sends them."""

from __future__ import annotations

import logging

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

from annotate import measuring, models_running
from annotate.models import Evaluation, ModelJob
from ingest.jobs import OVER
from ingest.models import RunState

logger = logging.getLogger(__name__)

NETWORKS, FILES = "gpu", "io"  # queues
TIMEOUT_S = 12 * 3600  # a slow line and a model of many gigabytes


def run_model_job(job_id: int) -> str:
    """Execute one download, check, import or timing of a model."""
    return str(models_running.execute(job_id))


def run_evaluation(evaluation_id: int) -> str:
    """Execute one measurement."""
    return str(measuring.execute(evaluation_id))


def send(job_ids: list[int]) -> bool:
    """Put jobs on models on their queues; one that waits there already is left alone. False without Redis.

    Call it after the commit: a worker may begin at once.
    """
    rows = ModelJob.objects.filter(pk__in=job_ids).values_list("pk", "attempt", "act")
    return all(
        _send(
            NETWORKS if act == ModelJob.Act.MEASURE else FILES,
            "annotate.jobs.run_model_job",
            f"model-job-{pk}-{attempt}",
            pk,
        )
        for pk, attempt, act in rows
    )


def send_evaluations(ids: list[int]) -> bool:
    """The same for measurements."""
    return all(_send(NETWORKS, "annotate.jobs.run_evaluation", f"evaluation-{pk}", pk) for pk in ids)


def sweep() -> int:
    """Take back or fail what died, send everything that waits; returns how many wait."""
    waiting = models_running.take_back_dead()
    send(waiting)
    measuring.fail_dead()
    asked = list(Evaluation.objects.filter(state=RunState.QUEUED).order_by("pk").values_list("pk", flat=True))
    send_evaluations(asked)
    return len(waiting) + len(asked)


def _send(queue: str, function: str, job_id: str, pk: int) -> bool:
    """Enqueue under a name that tells the row, so that it waits once."""
    try:
        waiting = django_rq.get_queue(queue, commit_mode="auto")
        job = waiting.fetch_job(job_id)
        if job is not None and job.get_status() in OVER:
            job.delete()  # its worker died before it claimed the row
        waiting.enqueue_call(
            function, args=(pk,), job_id=job_id, timeout=TIMEOUT_S, result_ttl=0, failure_ttl=86_400, unique=True
        )
    except DuplicateJobError:
        return True
    except RedisError:
        logger.warning("Redis cannot be reached; %s waits in the database", job_id)
        return False
    return True
