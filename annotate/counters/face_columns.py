"""The counters that rows keep over faces, derived in this one place: `Frame.face_count` and `FaceCluster.size`.

The history calls `settle` after every operation that changes faces, undo included; stages call `recount` themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from django.db.models import Count

from annotate.models import Face, FaceCluster
from ingest.imaging.store import UnknownName
from ingest.models import Frame, Operation, Revision
from ingest.storage.stored_files import store

SEEN_BY = "faces_by"  # in Frame.measures: the model version that looked last; a frame without faces has no other mark
BATCH = 500


def settle(operation: Operation, changes: Sequence[Revision]) -> None:
    """Count again what the changed faces were or are part of."""
    touched: dict[str, set[int]] = {"frame_id": set(), "cluster_id": set()}
    for change in changes:
        for values in (change.before or {}, change.after or {}):
            for name, keys in touched.items():
                if values.get(name) is not None:
                    keys.add(values[name])
        if change.frame_id is not None:
            touched["frame_id"].add(change.frame_id)
    recount(frames=touched["frame_id"], clusters=touched["cluster_id"])
    if operation.kind == "undo":
        _without_lost_crops(changes)


def recount(*, frames: Iterable[int] = (), clusters: Iterable[int] = ()) -> None:
    """Set the counters of these rows to what there is; rows that are right already are not written.

    A frame's counter stays empty where nobody has looked for faces and none is there.
    """
    for part in _parts(frames):
        for key, count in wrong_face_counts(part).items():
            Frame.objects.filter(pk=key).update(face_count=count)
    for part in _parts(clusters):
        for key, size in wrong_sizes(part).items():
            FaceCluster.objects.filter(pk=key).update(size=size)


def wrong_face_counts(frames: Collection[int]) -> dict[int, int | None]:
    """Return frames with a wrong counter, and its correct value."""
    rows = Face.objects.filter(frame__in=frames).order_by().values_list("frame")
    boxes = dict(rows.annotate(n=Count("pk")))
    real = dict(Face.objects.real().filter(frame__in=frames).order_by().values_list("frame").annotate(n=Count("pk")))
    wrong: dict[int, int | None] = {}
    for key, had, measures in Frame.objects.filter(pk__in=frames).values_list("pk", "face_count", "measures"):
        count: int | None = real.get(key, 0)
        if not boxes.get(key) and SEEN_BY not in (measures or {}) and had != 0:
            count = None
        if had != count:
            wrong[key] = count
    return wrong


def wrong_sizes(clusters: Collection[int]) -> dict[int, int]:
    """Return clusters with a wrong size, and its correct value."""
    rows = FaceCluster.objects.filter(pk__in=clusters).annotate(held=Count("faces")).order_by()
    return {row.pk: row.held for row in rows if row.size != row.held}


def _without_lost_crops(changes: Sequence[Revision]) -> None:
    """A crop that came back in name only is cut again by the next run; its file may have been swept since."""
    for change in changes:
        name = (change.after or {}).get("crop")
        if name and not _is_stored(name):
            lost: dict[str, Any] = {"crop": "", "embedding": None, "embedding_version": None}
            Face.objects.filter(pk=change.object_id, crop=name).update(**lost)


def _is_stored(name: str) -> bool:
    try:
        return store().exists(name)
    except UnknownName:  # from a backup that somebody wrote by hand
        return False


def _parts(keys: Iterable[int]) -> Iterator[list[int]]:
    ordered = sorted(set(keys))
    for start in range(0, len(ordered), BATCH):
        yield ordered[start : start + BATCH]
