"""Thin RQ entry points of the queue `export`. If Redis was gone, rows wait until the sweep queues them."""

from __future__ import annotations

from export.build import export_job, release_job
from export.build.export_job import EXPORTS
from export.build.release_job import RELEASES
from export.preview import example_faces
from export.preview.example_faces import FACES
from ingest import turns

QUEUE = "export"


def run_export() -> str:
    """Execute the next export, of the collection served least recently."""
    chosen = EXPORTS.next_of(EXPORTS.waiting(), party="collection")
    state = None if chosen is None else export_job.execute(chosen, in_worker=True)
    wake()
    return str(state)


def run_release() -> str:
    """Freeze the next release, of the collection served least recently."""
    chosen = RELEASES.next_of(RELEASES.waiting(), party="collection")
    state = None if chosen is None else release_job.execute(chosen, in_worker=True)
    wake()
    return str(state)


def draw_faces(collection_id: int | None = None) -> str:
    """Draw example faces of the next collection; calls left in Redis by older versions name one."""
    chosen = collection_id or example_faces.next_collection()
    faces = 0 if chosen is None else example_faces.draw(chosen, in_worker=True)
    wake()
    return f"{faces} faces"


def wake() -> bool:
    """Call for workers where releases, exports or faces wait: see `turns.call`. False when Redis cannot be reached."""
    work = (
        ("export.jobs.run_release", "release-", RELEASES),
        ("export.jobs.run_export", "export-", EXPORTS),
        ("export.jobs.draw_faces", "faces-", FACES),
    )
    return all(turns.call(QUEUE, name, kind=kind, waiting=rows.waiting().count()) for name, kind, rows in work)


def sweep() -> int:
    """Queue again what died and call for everything that waits; returns how many wait."""
    kinds = (EXPORTS, FACES, RELEASES)
    for kind in kinds:
        kind.take_back_dead()
    wake()
    return sum(kind.waiting().count() for kind in kinds)
