"""Cache keys that change whenever a person or a run writes, for figures of a collection."""

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
    """A cache key: the last operation, the last end of a run, the last heartbeat.

    One query in plain SQL: every list page needs it, and the ORM takes ten times as long to build it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASKED, [collection.pk, collection.pk, collection.pk, *FINISHED])
        parts = ":".join(map(str, cursor.fetchone()))
    return f"{collection.pk}:{parts}".replace(" ", "_")  # no spaces in keys of a cache


def cached(name: str, stamp: str, make: Callable[[], Value]) -> Value:
    """The value of `make` at this stamp, from the cache or computed now. It is pickled: plain rows, no QuerySets.

    None is cached like any other value.
    """
    key = f"{name}:{stamp}"
    entry: tuple[Value] | None = cache.get(key)
    if entry is not None:
        return entry[0]
    value = make()
    cache.set(key, (value,), KEEP_S)
    return value
