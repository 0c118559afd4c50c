"""Cancel runs while a real worker is deep in a call that hears nothing, and while it reads huge pictures.

A process of its own: `python -m tests.flows.cancel_workers FOLDER`. Prints one JSON line: by case how
many seconds after the cancel the run had ended.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.flows.waiting import wait_for

PICTURES = 6
PATIENCE_S = 60.0
TOYS = ("DeafOnProcessor", "DeafToAll", "DeafOnCard", "DeafAtTheEnd")
CASES = ("deaf_on_processor", "deaf_to_all", "deaf_on_card", "deaf_at_the_end", "read_pictures")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cases", nargs="*")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("KOMA_")]:
        del os.environ[name]
    from project.serve.redis_server import RedisServer

    redis = RedisServer(options.folder / "redis")
    redis.start()
    os.environ |= {
        "KOMA_DATA_DIR": str(options.folder / "data"), "KOMA_DISK_RESERVE_BYTES": "0",
        "DJANGO_SETTINGS_MODULE": "project.settings", "REDIS_URL": redis.url,
    }  # fmt: skip
    os.environ.pop("DATABASE_URL", None)
    try:
        return _measure(options.folder, options.cases or CASES)
    finally:
        redis.stop()


def _measure(folder: Path, cases: Sequence[str]) -> int:
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from ingest.actions import collections, sources
    from ingest.pipeline import claims
    from ingest.pipeline.registry import stages
    from tests.films import huge_png

    toys = [f"tests.ingest.pipeline.toy_stages.{name}" for name in TOYS]
    settings.PIPELINE_STAGES = [*toys, "ingest.stages.read_pictures.ReadPictures"]
    stages()
    call_command("migrate", verbosity=0)
    packed = folder / "huge.zip"
    picture = huge_png(10_000) if "read_pictures" in cases else b""
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(PICTURES):
            archive.writestr(f"{number}.png", picture)
    person = User.objects.create_superuser("ann", password="a long pass phrase")
    collection = collections.create(name="Cancelled", by=person)
    episode = sources.register(collection=collection, path=packed, by=person)
    results: dict[str, Any] = {"limit_s": claims.CANCEL_EVERY_S + claims.CANCEL_GRACE_S}
    for name in cases:
        results[name] = _cancelled(name, collection, episode, person)
    print(json.dumps(results))
    return 0


def _cancelled(name: str, collection: Any, episode: Any, person: Any) -> dict[str, Any]:
    """Start a run of one stage, cancel it once a worker is in its first batch, and see how it ends."""
    from django.db import connections

    from ingest import jobs
    from ingest.actions import runs

    run = runs.start(collection=collection, episodes=[episode], by=person, stage_names=[name])
    row = run.stages.get()
    jobs.wake()
    connections.close_all()
    child = os.fork()
    if child == 0:
        from ingest import worker

        worker.run([row.queue], burst=False)
        os._exit(0)
    _until(lambda: run.stages.filter(state="running").exists())
    time.sleep(3.0)  # in the middle of the first picture, or of the sleep
    began = time.monotonic()
    runs.cancel(run, by=person)
    _until(lambda: type(run).objects.filter(pk=run.pk, state="cancelled").exists())
    seconds = time.monotonic() - began
    os.kill(child, signal.SIGKILL)  # the one of the queue gpu has ended by itself
    status = wait_for(child)
    row.refresh_from_db()
    return {"seconds": round(seconds, 2), "state": row.state, "worker": status, "done": row.done, "error": row.error}


def _until(true: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not true():
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
