"""The saving of one decode for both `detect` and `tag`: the share of both that reading pictures takes.

    python -m bench.shared_decode --stills 200

Reads drawn stills of 720p in, then runs both stages as a run does, on the CPU, with the built-in models.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stills", type=int, default=200)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"KOMA_DATA_DIR": f"{folder}/data", "KOMA_DISK_RESERVE_BYTES": "0"}
        os.environ.pop("DATABASE_URL", None)
        os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _measure(Path(folder), args.stills)


def _measure(folder: Path, stills: int) -> None:
    from django.contrib.auth.models import User

    from annotate.stages import detect, tag
    from ingest.actions import collections, runs, sources
    from ingest.imaging import decode

    person = User.objects.create_superuser("bench", password="a long pass phrase")
    collection = collections.create(name="Stills", by=person)
    episode = sources.register(collection=collection, path=_packed(folder / "stills.zip", stills), by=person)
    spent = [0.0]
    original = decode.read_picture

    def timed(*args: Any, **more: Any) -> decode.Picture:
        began = time.process_time()
        try:
            return original(*args, **more)
        finally:
            spent[0] += time.process_time() - began

    for stage in (detect, tag):
        setattr(stage, "read_picture", timed)  # noqa: B010 -- not theirs to give, as mypy says
    saved = total_s = 0.0
    for name in ("read_pictures", "detect", "tag"):
        spent[0], began, clock = 0.0, time.process_time(), time.perf_counter()
        run = runs.run_here(runs.start(collection=collection, episodes=[episode], by=person, stage_names=[name]))
        used, seconds = time.process_time() - began, time.perf_counter() - clock
        assert run.state == "done", run.stages.get().error
        print(f"{name:14} {used:6.1f} s of CPU time ({seconds:6.1f} s by the clock), {spent[0]:5.1f} s of it decoding")
        total_s += used if name != "read_pictures" else 0.0
        saved = max(saved, spent[0]) if name == "detect" else min(saved, spent[0]) if name == "tag" else saved
    print(f"one decode for both would save {saved:.1f} of {total_s:.1f} s: {saved / total_s:.0%}")


def _packed(path: Path, stills: int) -> Path:
    from PIL import Image

    from bench.faces import drawn_frames

    with zipfile.ZipFile(path, "w") as archive:
        for number, picture in enumerate(drawn_frames(stills)):
            out = io.BytesIO()
            Image.fromarray(picture).save(out, "JPEG", quality=92)
            archive.writestr(f"{number:05}.jpg", out.getvalue())
    return path


if __name__ == "__main__":
    main()
