"""Thin RQ entry points of the queue `export`: ids only. When Redis is gone the rows wait and the sweep sends them."""

from __future__ import annotations

import logging

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

from export import face_examples, running
from export.models import ExportJob

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
    """The same for example faces; a job draws all that waits, so more than one a collection does no harm."""
    try:
        for pk in collection_ids:
            django_rq.get_queue(QUEUE).enqueue_call(
                "export.jobs.draw_faces", args=(pk,), result_ttl=0, failure_ttl=86_400
            )
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
