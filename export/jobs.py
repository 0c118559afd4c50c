"""Thin RQ entry points of the queue `export`. When Redis is gone the rows wait and the sweep calls for them."""

from __future__ import annotations

import logging

import django_rq
from redis.exceptions import RedisError
from rq.exceptions import DuplicateJobError

from export.build import export_job
from export.models import ExportJob
from export.preview import example_faces
from ingest import turns
from ingest.jobs import OVER
from ingest.models import RunState

logger = logging.getLogger(__name__)

QUEUE = "export"


def run_export() -> str:
    """Execute the export whose turn it is: of the collection that was served least recently."""
    waiting = ExportJob.objects.filter(state=RunState.QUEUED)
    chosen = turns.next_of(waiting, ExportJob.objects.all(), party="collection", served="started_at")
    state = None if chosen is None else export_job.execute(chosen)
    wake()
    return str(state)


def wake() -> bool:
    """Call for workers where exports wait: see `turns.call`. False when Redis cannot be reached."""
    waiting = ExportJob.objects.filter(state=RunState.QUEUED).count()
    return turns.call(QUEUE, "export.jobs.run_export", kind="export-", waiting=waiting)


def draw_faces(collection_id: int) -> str:
    """Draw the example faces that wait for a collection."""
    return f"{example_faces.draw(collection_id)} faces"


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
    """Queue again what died and call for everything that waits; returns how many wait."""
    waiting = export_job.take_back_dead()
    wake()
    faces = example_faces.take_back_dead()
    if faces:
        send_faces(faces)
    return len(waiting) + len(faces)
