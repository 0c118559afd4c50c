"""Measures frames again whose quality was computed by an older version, before they are compared."""

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

BATCH = 32  # pictures between two checks for a cancel
THREADS = 2


@dataclass(slots=True)
class Outdated:
    """Frames (key, name of the full picture) whose quality is of an older version."""

    frames: list[tuple[int, str]]


@dataclass(slots=True)
class Measured:
    """Measures by frame key; None for a picture that cannot be read."""

    rows: list[tuple[int, Measures | None]]


def count(frames: QuerySet[Frame]) -> int:
    """Number of frames to measure again: those of an older version that have a full picture."""
    return _outdated(frames).count()


def batches(frames: QuerySet[Frame]) -> Iterator[Outdated]:
    """Yield these frames in order of their keys."""
    last_key = 0
    while frames_page := list(
        _outdated(frames).filter(pk__gt=last_key).order_by("pk").values_list("pk", "file")[:BATCH]
    ):
        last_key = frames_page[-1][0]
        yield Outdated(frames_page)


def measure(batch: Outdated) -> Measured:
    """Read and measure the pictures. Does not use the database."""
    with ThreadPoolExecutor(THREADS) as pool:
        return Measured(list(pool.map(_measure_frame, batch.frames)))


def save(result: Measured) -> int:
    """Merge the results into `Frame.measures`; returns the number of readable pictures."""
    measures = {pk: measured for pk, measured in result.rows if measured is not None}
    rows = list(Frame.objects.select_for_update().filter(pk__in=measures).order_by("pk").only("pk", "measures"))
    for row in rows:
        measured = measures[row.pk]
        row.measures = row.measures | measured.as_dict()
        row.quality, row.quality_version = overall(measured), QUALITY_VERSION
    Frame.objects.bulk_update(rows, ["measures", "quality", "quality_version"])
    return len(rows)


def _outdated(frames: QuerySet[Frame]) -> QuerySet[Frame]:
    return frames.filter(quality_version__lt=QUALITY_VERSION).exclude(file="")


def _measure_frame(frame: tuple[int, str]) -> tuple[int, Measures | None]:
    pk, name = frame
    try:
        return pk, measures_of(read_picture(store().path(name), name=name).rgb)
    except (UnknownName, UnreadablePicture, OSError):
        return pk, None
