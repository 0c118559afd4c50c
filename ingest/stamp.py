"""A value that changes whenever a person or a run writes: figures of a whole collection are kept under it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from django.db.models import Max, Q

from ingest.models import FINISHED, Collection, Operation, StageRun

KEEP_S = 60  # for writes that this does not see: a restored backup, a second writer that commits late
Value = TypeVar("Value")


def stamp(collection: Collection) -> str:
    """Short text for cache keys: the last operation, the last end of a run, the last sign of life. Three queries."""
    operation = Operation.objects.filter(collection=collection).order_by("-pk").values_list("pk", flat=True).first()
    runs = collection.runs.aggregate(last=Max("pk"), ended=Max("finished_at"))
    open_runs = collection.runs.filter(~Q(state__in=FINISHED))
    alive = StageRun.objects.filter(run__in=open_runs).aggregate(at=Max("heartbeat_at"), ended=Max("finished_at"))
    parts = [operation, runs["last"], *(at and at.timestamp() for at in (runs["ended"], alive["at"], alive["ended"]))]
    return f"{collection.pk}:" + ":".join(str(part) for part in parts)


def kept(name: str, mark: str, make: Callable[[], Value]) -> Value:
    """The value that `make` gave at this stamp, from the cache or made now. Pickled: plain rows, no QuerySets."""
    key = f"{name}:{mark}"
    found: Value | None = cache.get(key)
    if found is None:
        found = make()
        cache.set(key, found, KEEP_S)
    return found
