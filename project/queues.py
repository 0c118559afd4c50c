"""The four RQ queues: what runs where, and after how many seconds a job counts as hung."""

from __future__ import annotations

# A stage is one job that works in bounded batches with a heartbeat; the watchdog looks at that, so the timeout is only
# the last net, for a worker whose watchdog died as well.
TIMEOUT_SECONDS = {
    "cpu": 12 * 3600,  # decoding, duplicates, clustering
    "gpu": 12 * 3600,  # networks, in one process that keeps its models
    "io": 2 * 3600,  # uploads, archives, backups, captions
    "export": 12 * 3600,  # datasets out
}


def rq_queues(redis_url: str) -> dict[str, dict[str, object]]:
    """Return django-rq's setting; jobs travel as JSON, because a pickle from Redis could run anything."""
    return {
        name: {"URL": redis_url, "DEFAULT_TIMEOUT": seconds, "SERIALIZER": "rq.serializers.JSONSerializer"}
        for name, seconds in TIMEOUT_SECONDS.items()
    }
