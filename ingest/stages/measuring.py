"""Frames that were valued by an older rule are measured again, from their stored pictures, before they are compared."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db.models import QuerySet

from ingest.algorithms.quality import QUALITY_VERSION, Measures, overall
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.still import measures_of
from ingest.imaging.store import UnknownName
from ingest.models import Frame
from ingest.storage.stored_files import store

BATCH = 32  # pictures: a stop is heard after as many
THREADS = 2


@dataclass(slots=True)
class Outdated:
    """Frames (key, name of the full picture) whose quality is of an older version."""

    frames: list[tuple[int, str]]


@dataclass(slots=True)
class Measured:
    """Of each frame what its picture measures; None where that cannot be read."""

    rows: list[tuple[int, Measures | None]]


def count(frames: QuerySet[Frame]) -> int:
    """How many of the frames are to be measured again: those of an older version that have a full picture."""
    return _outdated(frames).count()


def batches(frames: QuerySet[Frame]) -> Iterator[Outdated]:
    """Them, in order of their keys."""
    last = 0
    while page := list(_outdated(frames).filter(pk__gt=last).order_by("pk").values_list("pk", "file")[:BATCH]):
        last = page[-1][0]
        yield Outdated(page)


def measure(batch: Outdated) -> Measured:
    """Read the pictures and measure them. No database."""
    with ThreadPoolExecutor(THREADS) as pool:
        return Measured(list(pool.map(_of_one, batch.frames)))


def save(result: Measured) -> int:
    """Write what was measured beside what else stands in `measures`; returns how many could be read."""
    measures = {pk: found for pk, found in result.rows if found is not None}
    rows = list(Frame.objects.select_for_update().filter(pk__in=measures).order_by("pk").only("pk", "measures"))
    for row in rows:
        found = measures[row.pk]
        row.measures = row.measures | found.as_dict()
        row.quality, row.quality_version = overall(found), QUALITY_VERSION
    Frame.objects.bulk_update(rows, ["measures", "quality", "quality_version"])
    return len(rows)


def _outdated(frames: QuerySet[Frame]) -> QuerySet[Frame]:
    return frames.filter(quality_version__lt=QUALITY_VERSION).exclude(file="")


def _of_one(frame: tuple[int, str]) -> tuple[int, Measures | None]:
    pk, name = frame
    try:
        return pk, measures_of(read_picture(store().path(name), name=name).rgb)
    except (UnknownName, UnreadablePicture, OSError):
        return pk, None
