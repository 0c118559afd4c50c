"""Kill an export at random moments, sweep, run it again: folder and zip must equal those of an undisturbed one.

A process of its own with one thread, so that each try is a cheap fork: `python -m tests.export.kill_export --kills 20`,
with KOMA_DATA_DIR at an empty folder. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

from tests.flows.waiting import wait_for

PICTURES = 30


def main() -> None:
    """Make a small collection, export it undisturbed, then `kills` times with a kill."""
    import django

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    pk = make_job()
    wait_for(fork(pk))
    expected = outcome(pk)
    seconds = min(undisturbed(pk) for _ in range(3))  # the first one read everything from a cold disk
    dice, problems, killed, number = random.Random(options.seed), [], 0, 0
    # Beside other work the undisturbed ones took longer than those that are to be killed: then more are tried.
    while number < options.kills or (killed < options.kills // 2 and number < 4 * options.kills):
        number += 1
        reset(pk)
        killed += kill_after(fork(pk), dice.uniform(0, 0.8 * seconds))
        if problem := half_there(pk, expected):
            problems.append(f"kill {number}: {problem}")
        for _ in range(3):
            if requeue(pk):
                wait_for(fork(pk))
        if outcome(pk) != expected:
            problems.append(f"kill {number}: the result differs")
    print(json.dumps({"killed": killed, "problems": problems, "files": len(expected), "seconds": round(seconds, 2)}))


def make_job() -> int:
    """A collection of drawn pictures with faces, and a queued export of it."""
    from django.conf import settings
    from PIL import Image

    from annotate.models import Character, Face
    from export.actions import jobs
    from export.algorithms.recipe import parse
    from ingest.imaging.store import Store
    from ingest.models import Collection, Episode, Frame, Source

    store = Store(Path(settings.KOMA_DATA_DIR) / "store")
    collection = Collection.objects.create(name="Kill")
    source = Source.objects.create(collection=collection, kind="video", name="k.mkv", path="k", sha256="ef" * 32)
    episode = Episode.objects.create(collection=collection, source=source, series="kill", number="01", title="k")
    people = [Character.objects.create(collection=collection, name=name) for name in ("A", "B", "C")]
    for number in range(PICTURES):
        out = io.BytesIO()
        Image.effect_noise((160, 90), 40 + number).convert("RGB").save(out, "PNG")
        frame = Frame.objects.create(
            collection=collection,
            episode=episode,
            index=number,
            width=160,
            height=90,
            file=store.put(out.getvalue(), "png"),
            face_count=1,
        )
        Face.objects.create(
            collection=collection, frame=frame, left=0.2, top=0.2, right=0.5, bottom=0.7, character=people[number % 3]
        )
    recipe = parse({"selection": {"format": "jpeg"}, "crops": {"enabled": True}, "caption": {"seed": 4}})
    return jobs.start(collection=collection, recipe=recipe, name="Set", by=None).pk


def fork(pk: int) -> int:
    """Run the export in a child that can be killed like a worker."""
    from django.db import connections

    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            from export.build import export_job

            export_job.execute(pk)
        finally:
            os._exit(0)
    return child


def undisturbed(pk: int) -> float:
    """Seconds of a whole export."""
    reset(pk)
    began = time.monotonic()
    wait_for(fork(pk))
    return time.monotonic() - began


def kill_after(child: int, seconds: float) -> bool:
    """False when the child had ended before."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(wait_for(child))


def requeue(pk: int) -> bool:
    """What the workers' sweep does, without its patience; whether the export waits."""
    from export.build import export_job

    export_job.EXPORTS.take_back_dead(max_age_s=-1)
    return export_job.EXPORTS.waiting().filter(pk=pk).exists()


def reset(pk: int) -> None:
    """As it was before the first try, without any of its files."""
    from django.conf import settings

    from export.models import ExportJob

    shutil.rmtree(settings.KOMA_EXPORT_DIR)
    ExportJob.objects.filter(pk=pk).update(
        state="queued", attempt=0, token="", done=0, total=0, counters={}, folder="", zip_file="", finished_at=None
    )


def files_of(pk: int) -> dict[str, str]:
    """Hashes of the finished folder and zip, by path below the export folder."""
    from django.conf import settings

    root = Path(settings.KOMA_EXPORT_DIR)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    }


def outcome(pk: int) -> dict[str, str]:
    """The files, and the row's words."""
    from export.models import ExportJob

    job = ExportJob.objects.get(pk=pk)
    row = {"row": repr((job.state, job.done, job.total, job.folder, job.zip_file, job.size_bytes, job.error))}
    return files_of(pk) | row


def half_there(pk: int, expected: dict[str, str]) -> str:
    """What stands in the finished place right after a kill must be whole: the folder, and the zip."""
    result = files_of(pk)
    zips = {name for name in expected if name.endswith(".zip")}
    folder = {name for name in expected if name != "row"} - zips
    paths = set(result)
    if paths & folder and not folder <= paths:
        return f"{len(paths & folder)} of {len(folder)} files stand in the finished folder"
    wrong = [name for name in paths if result[name] != expected.get(name)]
    return f"{wrong[0]} is not whole" if wrong else ""


if __name__ == "__main__":
    main()
