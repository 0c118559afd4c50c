"""Execution of an ExportJob: read, write, move into place, pack. The database row is authoritative; RQ is unknown
here."""

from __future__ import annotations

import logging
import os
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from export.actions.jobs import building_folder, final_folder, inside_exports
from export.algorithms.plan import Item, Plan
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.build import masks, upscaling
from export.build.freezing import freeze
from export.build.path_lengths import Length, PathLengths, length_below, length_of, problem_at
from export.build.release_job import manifest_of
from export.build.sinks import files_below, move_whole, share, zip_folder
from export.build.write import Built, build
from export.formats.registry import format_of
from export.models import ExportJob, Release
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import StoreFull
from ingest.models import Collection, RunState
from ingest.pipeline.claims import Kind, Reporter
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

SHARED_UMASK = 0o022  # others read

PICTURE_MAX_S = 1800  # upscaling one takes minutes on a slow processor
EXPORTS = Kind(
    ExportJob, noun="export", retry="press Retry", step_max_s=PICTURE_MAX_S, related=("collection", "release")
)


def execute(job_id: int, *, in_worker: bool = False) -> RunState | None:
    """Run a queued export; None if another worker has it. Never raises for a failure of the export itself."""
    job = EXPORTS.claim(job_id)
    if job is None:
        return None

    def work(report: Reporter[ExportJob]) -> None:
        try:
            _run(job, report)
        except (RecipeError, StoreFull) as problem:  # texts for people, too
            raise KomaError(str(problem)) from problem

    return EXPORTS.run(job, work, in_worker=in_worker)


@dataclass(slots=True)
class Counted:
    """What is counted of the items of a dataset before it is written: `names` by planned folder and length of stem."""

    names: Counter[tuple[tuple[str, ...], Length]] = field(default_factory=Counter)
    frames: int = 0
    captions_by_person: int = 0

    def add(self, item: Item) -> None:
        """Count an item."""
        self.names[item.folder, length_of(item.stem)] += 1
        self.frames += item.crop is None
        self.captions_by_person += item.picture.caption is not None

    def lengths(self, plan: Plan, recipe: Recipe, *, name: str) -> PathLengths:
        """Return the lengths of paths in a dataset whose folder is called `name`."""
        lengths = PathLengths(top=length_of(name))
        folders = format_of(recipe).folders(plan.balance)
        for (folder, stem), count in self.names.items():
            lengths.add(length_below(folders[folder], stem, recipe), count)
        return lengths


def write(
    collection: Collection, recipe: Recipe, *, folder: Path, target: Path, on_progress: Callable[[int, int], None],
    release: Release | None = None,
) -> tuple[Plan, Built, Counted]:  # fmt: skip
    """Freeze and write a dataset into `folder`, or write a release; `on_progress` gets done and total.

    `target`: where it will be moved to. Raises BadInput when no picture is exported, or paths are too long for this
    server.
    """
    counted = Counted()
    with store().scratch() as path:
        if release is None:
            manifest = freeze(
                collection, recipe, path, on_progress=lambda done: on_progress(done, 0), on_item=counted.add
            )
        else:
            manifest = manifest_of(release)
            for number, item in enumerate(manifest):
                if number % 1000 == 0:
                    on_progress(number, 0)
                counted.add(item)
        plan = manifest.plan
        built = _write(collection, plan, recipe, counted, folder=folder, target=target, on_progress=on_progress)
    return plan, built, counted


def _write(
    collection: Collection, plan: Plan, recipe: Recipe, counted: Counted, *, folder: Path, target: Path,
    on_progress: Callable[[int, int], None],
) -> Built:  # fmt: skip
    total = len(plan.items)
    if not total:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in plan.left_out.items())
        raise BadInput(f"No picture would be in this dataset: {reasons or 'there are no kept frames'}.")
    lengths = counted.lengths(plan, recipe, name=target.name)
    longest = max(folder, target, key=lambda path: len(str(path)))
    if problem := problem_at(longest, lengths.longest):
        raise BadInput(problem)
    upscaler = upscaling.open_for(collection, recipe) if plan.upscaled else None
    built = build(
        plan,
        recipe,
        store=store(),
        folder=folder,
        on_progress=lambda done: on_progress(done, total),
        upscaler=upscaler,
        masker=masks.open_for(collection, recipe),
    )
    built.warnings += lengths.warnings
    return built


def _run(job: ExportJob, report: Reporter[ExportJob]) -> None:
    recipe = parse(job.params)
    folder, target = building_folder(job.pk), job.folder or final_folder(job)
    counters: dict[str, Any] = {"phase": "reading"}
    report(at_once=True, done=0, counters=counters)
    written = 0

    def report_progress(done: int, total: int) -> None:
        nonlocal written
        counters["phase"] = "writing" if total else "reading"
        waits, written = total > 0 and done == written, done  # also called while pictures are waited for
        report(done=done, total=total, counters=counters, same_step=waits)

    plan, built, counted = write(
        job.collection,
        recipe,
        folder=folder,
        target=inside_exports(target),
        on_progress=report_progress,
        release=job.release,
    )
    count = len(plan.items)
    final = inside_exports(target)
    report(at_once=True, folder=target)  # before it is there: whoever deletes the job finds it, whenever we are killed
    move_whole(folder, final)
    size = sum(path.stat().st_size for path in files_below(final))
    counters |= {
        "phase": "packing",
        "pictures": count,
        "frames": counted.frames,
        "resumed": built.resumed,
        "left_out": plan.left_out,
    }
    counters["folders"], counters["epoch"] = len(plan.balance.folders), round(plan.balance.epoch, 2)
    counters["upscaled"] = {str(passes): count for passes, count in sorted(plan.upscaled.items())}
    counters["captions_by_person"] = counted.captions_by_person
    values: dict[str, Any] = {"total": count, "warnings": list(built.warnings), "size_bytes": size}
    report(at_once=True, done=count, counters=counters, **values)
    if recipe.output.zip:
        packed = inside_exports(f"{target}.zip")

        def packing(done: int) -> None:
            counters["packed_percent"] = min(99, 100 * done // max(1, size))
            report(done=count, counters=counters)

        zip_folder(final, packed, top=final.name, each=packing, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        report(at_once=True, done=count, zip_file=f"{target}.zip")
    if settings.KOMA_EXPORTS_SHARED:
        Path(settings.KOMA_EXPORT_DIR).chmod(0o777 & ~SHARED_UMASK)
        for place in (final, inside_exports(f"{target}.zip")):
            share(place, umask=SHARED_UMASK)
    counters.pop("packed_percent", None)
    counters["phase"] = "done"
    report(at_once=True, done=count, counters=counters)
    shutil.rmtree(folder, ignore_errors=True)
    logger.info("export %s: %s pictures in %s folders, process %s", job.pk, count, counters["folders"], os.getpid())
