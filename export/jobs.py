"""Thin RQ entry points of the queue `export`: ids only. When Redis is gone the rows wait and the sweep sends them."""

from __future__ import annotations

import logging

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

from export import face_examples, running
from export.models import ExportJob
from ingest.jobs import OVER

logger = logging.getLogger(__name__)

QUEUE = "export"


def run_export(job_id: int) -> str:
    """Execute one export."""
    return str(running.execute(job_id))


def send(job_ids: list[int]) -> bool:
    """Put exports on their queue; one that waits there already is left alone. False when Redis cannot be reached."""
    for pk, attempt in ExportJob.objects.filter(pk__in=job_ids).values_list("pk", "attempt"):
        try:
            django_rq.get_queue(QUEUE).enqueue_call(
                "export.jobs.run_export",
                args=(pk,),
                job_id=f"export-{pk}-{attempt}",
                result_ttl=0,
                failure_ttl=86_400,
                unique=True,
            )
        except DuplicateJobError:
            continue
        except RedisError:
            logger.warning("Redis cannot be reached; export %s waits in the database", pk)
            return False
    return True


def draw_faces(collection_id: int) -> str:
    """Draw the example faces that wait for a collection."""
    return f"{face_examples.draw(collection_id)} faces"


def send_faces(collection_ids: list[int]) -> bool:
    """The same for example faces: one job a collection waits or runs at a time, and it draws all that waits.

    What is asked for just as that job ends waits in the database for the next sweep.
    """
    for pk in collection_ids:
        name = f"faces-{pk}"
        try:
            queue = django_rq.get_queue(QUEUE, commit_mode="auto")
            job = queue.fetch_job(name)
            if job is not None and job.get_status() in OVER:
                job.delete()  # it broke or its worker died; its name is free again
            queue.enqueue_call(
                "export.jobs.draw_faces", args=(pk,), job_id=name, result_ttl=0, failure_ttl=86_400, unique=True
            )
        except DuplicateJobError:
            continue
        except RedisError:
            logger.warning("Redis cannot be reached; example faces wait in the database")
            return False
    return True


def sweep() -> int:
    """Queue again what died and send everything that waits; returns how many wait."""
    waiting = running.take_back_dead()
    send(waiting)
    faces = face_examples.take_back_dead()
    if faces:
        send_faces(faces)
    return len(waiting) + len(faces)
