"""Fair order of work, for all queues: the database knows what waits, Redis only that something does.

A call refers to no row: the worker takes the next one. So a queue holds no more calls of a kind than it has workers,
whatever waits, and other work gets its turn soon. One call too many finds nothing to do; one too few is made up for by
the next job that ends, or by the sweep.
"""

from __future__ import annotations

import logging
import uuid
from datetime import UTC, datetime
from typing import Any

import django_rq
from django.db.models import Max, Min, QuerySet
from redis.exceptions import RedisError
from rq import Worker

logger = logging.getLogger(__name__)

NEVER = datetime.min.replace(tzinfo=UTC)


def next_of(waiting: QuerySet[Any], everything: QuerySet[Any], *, party: str, served: str) -> int | None:
    """The key of the waiting row whose turn it is: of the party that was served least recently, there the first.

    `party` names the column that tells for whom a row is (no value is a party as well), `served` the one with the time
    at which a worker last worked on it.
    """
    first: dict[Any, int] = dict(waiting.order_by().values_list(party).annotate(first=Min("pk")))
    if not first:
        return None
    last = dict(everything.order_by().values_list(party).annotate(last=Max(served)))
    return min(first.items(), key=lambda entry: (last.get(entry[0]) or NEVER, entry[1]))[1]


def call(queue_name: str, function: str, *args: Any, kind: str, waiting: int, timeout_s: int | None = None) -> bool:
    """Put calls on a queue, as many as its workers can answer; False when Redis cannot be reached.

    `kind` begins the ids of these calls, `waiting` is how many rows wait. Call it after the commit: a worker may begin
    at once.
    """
    if not waiting:
        return True
    try:
        queue = django_rq.get_queue(queue_name, commit_mode="auto")
        workers = max(1, Worker.count(queue=queue))
        called = sum(job.startswith(kind) for job in queue.get_job_ids())
        for _ in range(min(waiting, workers) - called):
            queue.enqueue_call(
                function, args=args, job_id=f"{kind}{uuid.uuid4().hex}", timeout=timeout_s, result_ttl=0,
                failure_ttl=86_400,
            )  # fmt: skip
    except RedisError:
        logger.warning("Redis cannot be reached; %s waits in the database", function)
        return False
    return True
