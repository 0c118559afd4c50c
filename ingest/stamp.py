"""A value that changes whenever a person or a run writes: figures of a whole collection are kept under it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.core.cache import cache
from django.db import connection

from ingest.models import FINISHED, Collection

_ASKED = """
SELECT (SELECT MAX(id) FROM ingest_operation WHERE collection_id = %s), runs.last, runs.ended, steps.alive, steps.ended
FROM (SELECT MAX(id) AS last, MAX(finished_at) AS ended FROM ingest_pipelinerun WHERE collection_id = %s) runs,
     (SELECT MAX(s.heartbeat_at) AS alive, MAX(s.finished_at) AS ended
      FROM ingest_stagerun s JOIN ingest_pipelinerun r ON r.id = s.run_id
      WHERE r.collection_id = %s AND r.state NOT IN (%s, %s, %s)) steps
"""
KEEP_S = 60  # for writes that this does not see: a restored backup, a second writer that commits late
Value = TypeVar("Value")


def stamp(collection: Collection) -> str:
    """Short text for cache keys: the last operation, the last end of a run, the last sign of life.

    One query, written out: every list page asks it, and the ORM takes ten times as long to put it together.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [collection.pk, collection.pk, collection.pk, *FINISHED])
        parts = ":".join(map(str, cursor.fetchone()))
    return f"{collection.pk}:{parts}".replace(" ", "_")  # no spaces in keys of a cache


def cached(name: str, stamp: str, make: Callable[[], Value]) -> Value:
    """The value that `make` gave at this stamp, from the cache or made now. Pickled: plain rows, no QuerySets.

    None is a value as any other and is kept, too.
    """
    key = f"{name}:{stamp}"
    entry: tuple[Value] | None = cache.get(key)
    if entry is not None:
        return entry[0]
    value = make()
    cache.set(key, (value,), KEEP_S)
    return value
