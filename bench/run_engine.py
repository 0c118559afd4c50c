"""The cost of the run engine per stage in a run of many episodes: endings, claims, sweeps and polls of the run's page.

    python -m bench.run_engine --episodes 200 2000

Prints milliseconds of CPU time and of the clock, on the database of DATABASE_URL (default: SQLite in a new folder).
Nothing is decoded: the stages are rows only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--episodes", type=int, nargs="+", default=[200, 2000])
    parser.add_argument("--samples", type=int, default=15)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("KOMA_DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        for episodes in args.episodes:
            print(f"{connection.vendor}, {episodes:,} episodes")
            for name, (processor, clock) in measure(episodes, samples=args.samples).items():
                print(f"  {name:34} {processor:9.2f} ms of CPU time {clock:9.2f} ms")


def measure(episodes: int, *, samples: int) -> dict[str, tuple[float, float]]:
    """Medians by what was done: (ms of this process's CPU, ms by the clock)."""
    from django.contrib.auth.models import User
    from django.test import Client, override_settings

    from ingest.actions import runs
    from ingest.models import Collection, Episode, Membership, Role, RunState, Source
    from ingest.pipeline import runner
    from ingest.pipeline.settling import settle

    user, _ = User.objects.get_or_create(username="bench")
    collection = Collection.objects.create(name=f"{episodes} episodes")
    Membership.objects.create(collection=collection, user=user, role=Role.ADMIN)
    Source.objects.bulk_create(
        Source(collection=collection, kind="video", name=f"{n:05}.mkv", path=f"{n}", sha256=f"{n:064}")
        for n in range(episodes)
    )
    sources = Source.objects.filter(collection=collection).order_by("pk")
    Episode.objects.bulk_create(Episode(collection=collection, source=s, title=s.name) for s in sources)
    chosen = list(Episode.objects.filter(collection=collection))
    results: dict[str, tuple[float, float]] = {}
    started: list[Any] = []

    def start() -> None:
        started.append(runs.start(collection=collection, episodes=chosen, by=user))

    results["start"] = _median(start, 1)
    run = started[0]
    claimed = [
        runner.STAGES.claim(pk) for pk in run.stages.filter(state="queued").values_list("pk", flat=True)[:samples]
    ]
    rows = iter([row for row in claimed if row is not None])
    results["end of an episode's stage"] = _median(lambda: runner.STAGES.close(next(rows), RunState.DONE), samples)
    results["sweep"] = _median(runner.sweep, 5)
    client = Client()
    client.force_login(user)
    with override_settings(ALLOWED_HOSTS=["testserver"]):
        page = f"/c/{collection.pk}/runs/{run.number}/"
        results["the run's page"] = _median(lambda: client.get(page), 5)
        results["a poll of the run's page"] = _median(lambda: client.get(page, headers={"HX-Target": "lanes"}), 5)
        results["a poll of the ring in the top bar"] = _median(lambda: client.get(f"/c/{collection.pk}/work/"), 5)
    run.stages.filter(stage="extract").exclude(state="done").update(state="done")
    results["settle all episodes"] = _median(lambda: settle(run), 5)
    runs.cancel(run, by=user)
    return results


def _median(action: Callable[[], Any], times: int) -> tuple[float, float]:
    processor, clock = [], []
    for _ in range(times):
        began = time.process_time(), time.perf_counter()
        action()
        processor.append(1000 * (time.process_time() - began[0]))
        clock.append(1000 * (time.perf_counter() - began[1]))
    return statistics.median(processor), statistics.median(clock)


if __name__ == "__main__":
    main()
