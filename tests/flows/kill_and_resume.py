"""Kill each stage at random moments, sweep, run it again: database and files must equal those of an undisturbed run.

A process of its own: `python -m tests.flows.kill_and_resume FOLDER --kills 20`. It has one thread and opens no network
before it forks, so that each stage run is a cheap fork that can be killed like a worker. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import random
import shutil
import signal
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

from tests.flows.waiting import wait_for

RUN_FIELDS = {  # how a run went, not what it made
    "PipelineRun": {"served_at", "tallies"},  # tallies hold seconds; their counters are those of the stages
    "StageRun": {"attempt", "token", "worker", "timings", "log", "device", "created_at"},
    "EpisodeSize": {"changes"},  # how often it changed; its bytes, and whether they are still true, are compared
    "Frame": set(),
}
BATCHES = {"ingest.stages.extract": 6, "ingest.stages.read_pictures": 3, "ingest.stages.dedup": 8,
           "ingest.stages.pictures": 3, "annotate.stages.run_models": 2, "annotate.stages.detect": 2,
           "annotate.stages.tag": 2, "annotate.stages.embed": 2}  # a tiny film gives many  # fmt: skip
IN_WORKERS = ("run_models", "tag")  # killed by `kill_workers`
SKIPPED_MODELS = {"Session", "LogEntry", "Permission", "ContentType", "Migration", "Dashboard"}


def digest_rows() -> dict[str, list[str]]:
    """A hash for each row of each model, in which a foreign key is the hash of its row: nothing depends on ids."""
    from django.apps import apps
    from django.db import models

    known: dict[tuple[str, Any], str] = {}
    rows: dict[tuple[str, Any], Any] = {}
    chosen = [m for m in apps.get_models() if m.__name__ not in SKIPPED_MODELS]
    for model in chosen:
        for row in model._base_manager.all():
            rows[(model.__name__, row.pk)] = row

    def of(key: tuple[str, Any]) -> str:
        if key in known:
            return known[key]
        if key not in rows:
            return "absent"
        known[key] = "in a circle"
        row, parts = rows[key], []
        for field in row._meta.concrete_fields:
            if field.primary_key or isinstance(field, (models.DateTimeField, models.DateField)):
                continue
            if field.name in RUN_FIELDS.get(key[0], ()):
                continue
            value = getattr(row, field.attname)
            if field.is_relation and value is not None:
                value = of((field.related_model.__name__, value))
            parts.append((field.name, bytes(value) if isinstance(value, memoryview) else value))
        known[key] = hashlib.sha256(repr((key[0], parts)).encode()).hexdigest()
        return known[key]

    collected: dict[str, list[str]] = {}
    for key in rows:
        collected.setdefault(key[0], []).append(of(key))
    return {name: sorted(hashes) for name, hashes in sorted(collected.items())}


def digest_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below the store."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Snapshot:
    """The data folder as it was before a stage; stored files are linked, as they never change."""

    def __init__(self, data_dir: Path, copy: Path) -> None:
        self.data_dir, self.copy = data_dir, copy
        close_database()
        shutil.rmtree(copy, ignore_errors=True)
        _copy(data_dir, copy)

    def put_back(self) -> None:
        close_database()
        shutil.rmtree(self.data_dir)
        _copy(self.copy, self.data_dir)


def _copy(source: Path, target: Path) -> None:
    def link_or_copy(one: str, other: str) -> None:
        if "/store/" in one and "/temp/" not in one:
            os.link(one, other)
        else:
            shutil.copy2(one, other)

    shutil.copytree(source, target, copy_function=link_or_copy)


def close_database() -> None:
    from django.db import connections

    connections.close_all()


def fork_stage(pk: int) -> int:
    """Run one stage in a forked child; returns its process id."""
    close_database()
    child = os.fork()
    if child == 0:
        try:
            from ingest.pipeline import runner

            runner.execute(pk, models={})
            close_database()
        finally:
            os._exit(0)
    return child


def run_to_end(pk: int) -> float:
    """Run a stage in a child undisturbed; returns its seconds."""
    began = time.monotonic()
    wait_for(fork_stage(pk))
    return time.monotonic() - began


def run_killed(pk: int, after_s: float) -> bool:
    """Run a stage in a child and kill it after some seconds; False when it had ended before."""
    child = fork_stage(pk)
    until = time.monotonic() + after_s
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG) != (0, 0):
            return False
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    status = wait_for(child)
    return os.WIFSIGNALED(status)


def sweep() -> None:
    """What the workers' sweep does, without its patience."""
    from ingest.pipeline import runner
    from ingest.storage.stored_files import store

    runner.sweep(max_age_s=-1)
    store().sweep(age_s=-1)


def state_now() -> tuple[Any, Any, Any]:
    from django.conf import settings

    return digest_rows(), digest_files(settings.KOMA_DATA_DIR / "store"), progress_now()


def progress_now() -> dict[tuple[str, str], dict[str, Any]]:
    """What each stage says of its own progress: the commonest thing to differ, so it is told by name."""
    from ingest.models import StageRun

    names = ("state", "done", "total", "counters", "error")
    return {(row.stage, str(row.episode or "")): {n: getattr(row, n) for n in names} for row in StageRun.objects.all()}


def differences(expected: Any, found: Any) -> list[str]:
    """What differs, in words short enough for a failing test."""
    tags = []
    for key, ours in expected[2].items():
        if found[2].get(key) != ours:
            tags.append(f"{key}: {ours} undisturbed, {found[2].get(key)} after the kill")
    for name in sorted(set(expected[0]) | set(found[0])):
        ours, others = expected[0].get(name, []), found[0].get(name, [])
        if ours != others:
            both = len(set(ours) & set(others))
            tags.append(f"{name}: {len(ours)} rows undisturbed, {len(others)} after the kill, {both} equal")
    files = set(expected[1].items()) ^ set(found[1].items())
    if files:
        tags.append(f"{len(files)} files differ, for instance {sorted(files)[0][0]}")
    return tags


def check_stage(pk: int, *, kills: int, dice: random.Random, folder: Path) -> dict[str, Any]:
    """Run one queued stage undisturbed, then killed at random moments from the same start; leaves it done."""
    from django.conf import settings

    from ingest.models import StageRun

    row = StageRun.objects.get(pk=pk)
    before = Snapshot(settings.KOMA_DATA_DIR, folder / "before")
    seconds = run_to_end(pk)
    sweep()
    expected = state_now()
    row.refresh_from_db()
    result: dict[str, Any] = {
        "stage": row.stage,
        "of": str(row.episode or ""),
        "state": row.state,
        "seconds": round(seconds, 2),
        "killed": 0,
    }
    result["problems"] = [] if row.state == "done" else [row.error or row.log]
    # Each stage is killed over one episode: the film, or the pictures where the stage is theirs.
    others = row.episode is None or row.episode.source.kind != "pictures" or row.stage == "read_pictures"
    result["kills"] = kills if row.total and others and row.stage not in IN_WORKERS else 0
    if result["kills"]:
        before.put_back()
        seconds = run_to_end(pk)  # warm now, as the runs to be killed are; and the same again
        sweep()
        if results := differences(expected, state_now()):
            result["problems"].append("undisturbed twice: " + "; ".join(results))
    for _ in range(result["kills"]):
        before.put_back()
        result["killed"] += run_killed(pk, dice.uniform(0.0, seconds))
        sweep()
        if StageRun.objects.get(pk=pk).state == "queued":
            run_to_end(pk)
            sweep()
        if results := differences(expected, state_now()):
            result["problems"].append("; ".join(results))
    return result


def write_other_tagger(folder: Path) -> None:
    """A tagger that the tagging asks itself, so that raw answers are stored and read again between the kills."""
    import numpy as np

    from tests.annotate.scorer_graphs import write_model, write_tags

    folder.mkdir(parents=True)
    write_model(folder, side=4, weights=np.eye(48, 3) / 2, bias=[0.1, 0.2, 0.3])
    write_tags(folder, [("general", 9), ("indoors", 0), ("outdoors", 0)])


def main() -> int:
    """Make a small episode, register it, take its run stage by stage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("KOMA_")]:
        del os.environ[name]
    models_dir = options.folder / "models"
    os.environ |= {"KOMA_DATA_DIR": str(options.folder / "data"), "KOMA_DISK_RESERVE_BYTES": "0"}
    os.environ["KOMA_MODELS_DIR"] = str(models_dir)
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)

    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from demo_film.film import draw_small
    from ingest.actions import collections, runs, sources
    from ingest.models import RunState
    from ingest.pipeline.registry import stages
    from tests.annotate.picture_nets import write_tagger
    from tests.films import png

    call_command("migrate", verbosity=0)
    film, packed = options.folder / "Show - 01.mp4", options.folder / "fan art.zip"
    draw_small(film, seed=options.seed, seconds=4)
    write_tagger(models_dir / "one")
    write_tagger(models_dir / "two", turned=True)
    write_other_tagger(models_dir / "wd-tiny")
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(8):
            archive.writestr(f"{number}.png", png(shade=9 * number, size=(160, 90)))
        archive.writestr("broken.png", b"no picture")
    person = User.objects.create_superuser("ann", password="a long pass phrase")
    collection = collections.create(name="Killed", by=person)
    episodes = [sources.register(collection=collection, path=path, by=person) for path in (film, packed)]
    params = {"run_models": {"models": "one, two"}, "tag": {"tagger": "wd-tiny"}}
    run = runs.start(collection=collection, episodes=episodes, by=person, params=params)
    stages()  # imported once, here, and not in each child
    for module, size in BATCHES.items():
        assert isinstance(importlib.import_module(module).BATCH, int)
        importlib.import_module(module).BATCH = size  # type: ignore[attr-defined]
    dice = random.Random(options.seed)
    results = []
    while waiting := run.stages.filter(state=RunState.QUEUED).order_by("order", "pk").first():
        results.append(check_stage(waiting.pk, kills=options.kills, dice=dice, folder=options.folder))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
        if results[-1]["state"] != "done":
            break
    print(json.dumps(results))
    return 1 if any(result["problems"] for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
