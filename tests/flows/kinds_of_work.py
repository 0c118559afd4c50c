"""One small piece of real work of each kind that workers claim, with a place in its middle where it can be held."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import random
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

NUMBERS = itertools.count(1)
TOY_STAGES = ["tests.ingest.pipeline.toy_stages.Make"]


@dataclass(frozen=True)
class Work:
    """A kind of work: how a row comes to be, who calls for workers, what came out, what a half result would be."""

    name: str
    queue: str
    kind: Any
    make: Callable[[], Any]
    wake: Callable[[], object]
    cancel: Callable[[Any], object]
    outcome: Callable[[Any], Any]
    half: Callable[[Any], bool]
    hold: Callable[[Callable[[], None]], None]  # calls it in the middle of the work, from now on


class Gate:
    """A place in the middle of work. `shut` before the fork: whoever comes to it waits there, deaf to everything."""

    def __init__(self, folder: Path) -> None:
        self.visits, self._shut = folder / "visits", folder / "shut"

    def shut(self, *, shut: bool) -> None:
        self.visits.unlink(missing_ok=True)
        self._shut.unlink(missing_ok=True)
        if shut:
            self._shut.touch()

    def __call__(self) -> None:
        with self.visits.open("a") as file:
            file.write("x")
        if self._shut.exists():
            time.sleep(300)

    def visited(self) -> int:
        return len(self.visits.read_text()) if self.visits.exists() else 0


def prepare(folder: Path) -> None:
    """Models and a library, and settings that find them; after `django.setup()`."""
    import cv2
    import numpy as np
    from django.conf import settings

    from ingest.pipeline import registry
    from tests.annotate.face_graph import picture_with, write_graph
    from tests.annotate.upscale_graph import write_esrgan

    library = folder / "library"
    (library / "faces").mkdir(parents=True)
    (library / "wd-here").mkdir()
    settings.KOMA_LIBRARY_DIRS = [library]
    settings.PIPELINE_STAGES = TOY_STAGES
    registry.stages.cache_clear()
    write_graph(settings.KOMA_MODELS_DIR)
    write_esrgan(settings.KOMA_MODELS_DIR / "tiny-x4" / "model.onnx")
    (settings.KOMA_MODELS_DIR / "tiny-x4" / "koma.json").write_text(json.dumps({"family": "real_esrgan"}))
    for name, cell in (("a.png", (2, 3)), ("b.png", (5, 1))):
        cv2.imwrite(str(library / "faces" / name), np.ascontiguousarray(picture_with(cell)[..., ::-1]))
    truth = {"a.png": {"boxes": [[16, 24, 24, 40], [40, 8, 48, 16]]}, "b.png": {"boxes": []}}
    (library / "faces" / "boxes.json").write_text(json.dumps(truth))
    (library / "wd-here" / "model.onnx").write_bytes(b"\x08" + random.Random(5).randbytes(200_000))
    (library / "wd-here" / "selected_tags.csv").write_text("tag_id,name,category,count\n1,solo,0,9\n")


def all_kinds() -> list[Work]:
    return [stage(), export(), model_job(), measurement(), face()]


def a_collection() -> Any:
    from ingest.models import Collection

    return Collection.objects.create(name=f"Show {next(NUMBERS)}")


def a_picture(*, seed: int) -> str:
    """The name of a stored picture."""
    from PIL import Image

    from ingest.storage.stored_files import store

    out, noise = io.BytesIO(), random.Random(seed).randbytes(96 * 64 * 3)
    Image.frombytes("RGB", (96, 64), noise).save(out, "PNG")
    return store().put(out.getvalue(), "png")


def an_episode(collection: Any, *, frames: int) -> Any:
    from ingest.models import Episode, Frame, Source

    digest = hashlib.sha256(str(collection.pk).encode()).hexdigest()
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a", sha256=digest)
    episode = Episode.objects.create(collection=collection, source=source, series="show", number="1", title="a")
    Frame.objects.bulk_create(
        Frame(collection=collection, episode=episode, index=i, width=96, height=64, file=a_picture(seed=i))
        for i in range(frames)
    )
    return episode


def stage() -> Work:
    from ingest import jobs
    from ingest.actions import runs
    from ingest.models import Frame
    from ingest.pipeline import runner
    from tests.ingest.pipeline import toy_stages

    def make() -> Any:
        collection = a_collection()
        run = runs.start(
            collection=collection, episodes=[an_episode(collection, frames=0)], by=None, stage_names=["make"]
        )
        return run.stages.get()

    def frames(row: Any) -> list[int]:
        return sorted(Frame.objects.filter(episode=row.episode_id).values_list("index", flat=True))

    def hold(gate: Callable[[], None]) -> None:
        toy_stages.HOOKS["make"] = lambda ctx, batch: gate() if 2 in batch else None

    return Work(
        "stage", "cpu", runner.STAGES, make, jobs.wake, lambda row: runs.cancel(row.run, by=None),
        outcome=lambda row: [frames(row), row.done, row.counters, row.run.state],
        half=lambda row: frames(row) not in ([], [0, 1]),  # a batch is saved whole
        hold=hold,
    )  # fmt: skip


def export() -> Work:
    from export import jobs
    from export.actions import jobs as actions
    from export.algorithms.recipe import parse
    from export.build import export_job

    def make() -> Any:
        collection = a_collection()
        an_episode(collection, frames=8)
        recipe = parse({"selection": {"format": "png", "min_faces": 0}, "arrange": {"min_per_combination": 1}})
        return actions.start(collection=collection, recipe=recipe, name="Set", by=None)

    def files(row: Any) -> dict[str, str]:
        folder = actions.inside_exports(actions.final_folder(row))
        result = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob("*") if path.is_file() and path.suffix == ".png"
        }  # fmt: skip
        packed = actions.inside_exports(f"{actions.final_folder(row)}.zip")
        if packed.exists():
            with zipfile.ZipFile(packed) as archive:
                assert archive.testzip() is None
                result["zip"] = str(sorted(info.CRC for info in archive.infolist() if info.filename.endswith(".png")))
        return result

    def hold(gate: Callable[[], None]) -> None:
        real = export_job.build

        def build(*args: Any, **more: Any) -> Any:
            built = real(*args, **more)
            gate()
            return built

        export_job.build = build

    return Work(
        "export", "export", export_job.EXPORTS, make, jobs.wake, actions.cancel,
        outcome=lambda row: [sorted(files(row).values()), row.done, row.total, bool(row.zip_file)],
        half=lambda row: bool(files(row)),
        hold=hold,
    )  # fmt: skip


def model_job() -> Work:
    from django.conf import settings

    from annotate import jobs
    from annotate.model_library import model_actions, model_jobs

    def make() -> Any:
        name = f"wd-{next(NUMBERS)}"
        return model_actions.import_from_library(root=0, relative="wd-here", name=name, family="", by=None)

    def hold(gate: Callable[[], None]) -> None:
        real = model_jobs.import_model

        def import_model(*args: Any, report: Callable[..., None], **more: Any) -> Any:
            def reporting(*values: Any) -> None:
                report(*values)
                gate()

            return real(*args, report=reporting, **more)

        model_jobs.import_model = import_model  # type: ignore[assignment]

    def files(row: Any) -> list[str]:
        folder = Path(settings.KOMA_MODELS_DIR) / row.name
        listed = sorted(folder.glob("*")) if folder.is_dir() else []
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in listed if path.suffix in (".onnx", ".csv")]

    return Work(
        "model job", "io", model_jobs.MODEL_JOBS, make, jobs.wake, model_actions.cancel,
        outcome=lambda row: [files(row), row.message], half=lambda row: bool(files(row)), hold=hold,
    )  # fmt: skip


def measurement() -> Work:
    from annotate import jobs
    from annotate.evaluation import evaluation_jobs

    def make() -> Any:
        return evaluation_jobs.ask(kind="faces", root=0, path="faces", model="tiny", by=None)

    def hold(gate: Callable[[], None]) -> None:
        kind = evaluation_jobs.KINDS["faces"]

        def run(*args: Any) -> Any:
            scores = kind.run(*args)
            gate()
            return scores

        evaluation_jobs.KINDS["faces"] = replace(kind, run=run)

    return Work(
        "measurement", "gpu", evaluation_jobs.EVALUATIONS, make, jobs.wake, evaluation_jobs.cancel,
        outcome=lambda row: [row.scores.get("hits_iou30"), row.mistakes, row.done],
        half=lambda row: bool(row.scores or row.mistakes), hold=hold,
    )  # fmt: skip


def face() -> Work:
    from django.utils import timezone

    from export import jobs
    from export.models import FaceExample
    from export.preview import example_faces
    from ingest.pipeline import claims

    def make() -> Any:
        params = {
            "upscaler": "tiny-x4", "stamp": [], "file": a_picture(seed=3), "crop": [0, 0, 64], "border": "",
            "passes": 1, "size": [256, 256],
        }  # fmt: skip
        return FaceExample.objects.create(
            collection=a_collection(), digest="e" * 64, params=params, asked_at=timezone.now()
        )

    def hold(gate: Callable[[], None]) -> None:
        real = example_faces.picture_bytes

        def picture_bytes(*args: Any, **more: Any) -> bytes:
            gate()
            return real(*args, **more)

        example_faces.picture_bytes = picture_bytes

    return Work(
        "face", "export", example_faces.FACES, make, jobs.wake, claims.cancel,
        outcome=lambda row: hashlib.sha256(bytes(row.data or b"")).hexdigest() if row.data else "",
        half=lambda row: row.data is not None, hold=hold,
    )  # fmt: skip
