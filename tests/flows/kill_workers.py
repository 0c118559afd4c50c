"""Kill the real worker at random moments while it asks models, tags and captions: rows must be those of a quiet run.

A process of its own: `python -m tests.flows.kill_workers FOLDER --kills 20`. Jobs come through a real Redis, models are
tiny networks, captions come from a server beside it. Like `kill_and_resume` it stays without threads, so that each
worker (`ingest.worker.run`, what `manage.py runworker` calls) is a cheap fork. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import random
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.flows.kill_and_resume import (
    BATCHES,
    Snapshot,
    close_database,
    differences,
    state_now,
    sweep,
    write_other_tagger,
)
from tests.flows.waiting import wait_for

KILLED = ("run_models", "tag", "caption")
PR_SET_CHILD_SUBREAPER = 36
PATIENCE_S = 60.0
PICTURES = 16
ANSWER_S = 0.02  # that the captioning server takes for an answer


def children() -> set[int]:
    """Our own, and those of workers that died."""
    return {int(pid) for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


@contextmanager
def captions() -> Iterator[str]:
    """The address of a captioning server in a process of its own, whose words depend on the question only."""
    from tests.annotate.chat_server import Asked, ChatServer, Reply, serving

    def answer(_: int, asked: Asked) -> Reply:
        tags = hashlib.sha256(asked.picture.tobytes() + asked.prompt.encode()).hexdigest()
        return Reply(says=f"A picture like {tags}.", wait_s=ANSWER_S)

    ours, others = os.pipe()
    child = os.fork()
    if child == 0:
        with serving(ChatServer(answer)) as server:
            os.write(others, server.url.encode())
            os.close(others)
            signal.pause()
        os._exit(0)
    os.close(others)
    try:
        yield os.read(ours, 200).decode()
    finally:  # it holds our output open: whoever reads that to the end would wait for ever
        os.kill(child, signal.SIGKILL)
        wait_for(child)


class Stand:
    """One stage, its queue, and workers on it."""

    def __init__(self, pk: int, *, others: set[int]) -> None:
        from ingest.models import StageRun

        self.pk, self.queue = pk, StageRun.objects.get(pk=pk).queue
        self._others = others  # children that are no workers

    def begin(self) -> None:
        """An empty Redis, and the stage sent as the site sends it."""
        import django_rq

        django_rq.get_connection(self.queue).flushall()
        self.send()

    def send(self) -> None:
        from ingest import jobs

        assert jobs.wake()

    def worker(self) -> int:
        """A worker that ends when its queue is empty; its process id."""
        close_database()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                from ingest import worker

                worker.run([self.queue], burst=True)
                code = 0
            finally:
                os._exit(code)
        return child

    def to_end(self) -> float:
        """A worker left alone; its seconds."""
        began = time.monotonic()
        status = wait_for(self.worker())
        assert status == 0, f"the worker ended with {status}"
        return time.monotonic() - began

    def killed(self, after_s: float, *, at_work: bool) -> bool:
        """A worker killed after some seconds, counted from its start or from when it has taken the stage; False when it
        had ended before. Waits for what it leaves behind."""
        child = self.worker()
        until = time.monotonic() + (PATIENCE_S if at_work else after_s)
        while time.monotonic() < until:
            if os.waitpid(child, os.WNOHANG) != (0, 0):
                return False
            if at_work and self.taken():
                until, at_work = time.monotonic() + after_s, False
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        status = wait_for(child)
        until = time.monotonic() + PATIENCE_S
        while left := children() - self._others:  # the child that did its job ends with it
            for pid in left:
                os.waitpid(pid, os.WNOHANG)
            assert time.monotonic() < until, "a child of the killed worker goes on"
            time.sleep(0.002)
        return os.WIFSIGNALED(status)

    def taken(self) -> bool:
        """Whether a worker has begun the stage."""
        from ingest.models import StageRun

        return StageRun.objects.filter(pk=self.pk, state="running").exists()

    def go_on(self) -> None:
        """What the sweep and RQ do when a worker has been silent for long, without their patience."""
        import django_rq
        from rq.registry import StartedJobRegistry

        sweep()
        StartedJobRegistry(queue=django_rq.get_queue(self.queue)).cleanup(timestamp=int(time.time()) + 10**6)
        self.send()


def check_stage(pk: int, *, kills: int, dice: random.Random, folder: Path, others: set[int]) -> dict[str, Any]:
    """Run one queued stage undisturbed, then with its worker killed from the same start; leaves it done."""
    from django.conf import settings

    from ingest.models import StageRun

    row, stand = StageRun.objects.get(pk=pk), Stand(pk, others=others)
    before = Snapshot(settings.KOMA_DATA_DIR, folder / "before")
    stand.begin()
    stand.to_end()
    expected = state_now()
    row.refresh_from_db()
    result: dict[str, Any] = {"stage": row.stage, "state": row.state, "done": row.done, "kills": 0, "killed": 0}
    result["problems"] = [] if row.state == "done" else [row.error or row.log or row.state]
    if row.stage not in KILLED or not row.total or result["problems"]:
        return result
    before.put_back()
    stand.begin()
    seconds = stand.to_end()  # warm now, as the runs to be killed are
    row.refresh_from_db()
    elapsed_s = (row.finished_at - row.started_at).total_seconds() if row.finished_at and row.started_at else 0.0
    result |= {"seconds": round(seconds, 2), "at_work": round(elapsed_s, 2), "kills": kills, "in_the_middle": 0}
    for number in range(kills):
        before.put_back()
        stand.begin()
        at_work = number % 4 > 0  # the others also die as they begin and as they end
        result["killed"] += stand.killed(dice.uniform(0.0, elapsed_s if at_work else seconds), at_work=at_work)
        result["in_the_middle"] += stand.taken()
        stand.go_on()
        stand.to_end()
        if results := differences(expected, state_now()):
            result["problems"].append("; ".join(results))
    return result


def main() -> int:
    """Make a small episode, register it, take its run stage by stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in [name for name in os.environ if name.startswith("KOMA_")]:
        del os.environ[name]
    from project.serve.redis_server import RedisServer

    redis = RedisServer(options.folder / "redis")
    redis.start()
    with captions() as url:
        try:
            return _measure(options, redis.url, url)
        finally:
            redis.stop()


def _measure(options: argparse.Namespace, redis_url: str, captions_url: str) -> int:
    models_dir = options.folder / "models"
    os.environ |= {
        "KOMA_DATA_DIR": str(options.folder / "data"), "KOMA_DISK_RESERVE_BYTES": "0",
        "KOMA_MODELS_DIR": str(models_dir), "KOMA_CAPTION_URL": captions_url, "KOMA_CAPTION_MODEL": "tiny-vl",
        "KOMA_CAPTION_IN_FLIGHT": "2", "DJANGO_SETTINGS_MODULE": "project.settings", "REDIS_URL": redis_url,
    }  # fmt: skip
    os.environ.pop("DATABASE_URL", None)

    import importlib

    import django

    django.setup()
    from django.conf import settings
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.utils.module_loading import import_string

    from ingest.actions import collections, runs, sources
    from ingest.pipeline.registry import stages
    from tests.annotate.picture_nets import write_tagger
    from tests.films import png

    call_command("migrate", verbosity=0)
    packed = options.folder / "fan art.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(PICTURES):
            archive.writestr(f"{number}.png", png(shade=5 * number, size=(160, 90)))
    write_tagger(models_dir / "one")
    write_tagger(models_dir / "two", turned=True)
    write_other_tagger(models_dir / "wd-tiny")
    person = User.objects.create_superuser("ann", password="a long pass phrase")
    collection = collections.create(name="Killed", by=person)
    episode = sources.register(collection=collection, path=packed, by=person)
    stages()  # imported once, here, and not in each child
    for module, size in BATCHES.items():
        assert isinstance(importlib.import_module(module).BATCH, int)
        importlib.import_module(module).BATCH = size  # type: ignore[attr-defined]
    for name in ("ingest.worker", "annotate.backends.taggers.wd"):
        importlib.import_module(name)
    for path in settings.SWEEPS:
        import_string(path)
    dice, others = random.Random(options.seed), children()
    params = {"run_models": {"models": "one, two"}, "tag": {"tagger": "wd-tiny"}}
    results = []
    for name in ("read_pictures", *KILLED):  # a run each: a worker goes on with the next stage of its queue
        run = runs.start(collection=collection, episodes=[episode], by=person, stage_names=[name], params=params)
        key = run.stages.get().pk
        results.append(check_stage(key, kills=options.kills, dice=dice, folder=options.folder, others=others))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
        if results[-1]["state"] != "done":
            break
    print(json.dumps(results))
    return 1 if any(result["problems"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
