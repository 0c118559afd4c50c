"""Execution of an ExportJob: read, write, move into place, pack. The database row is authoritative; RQ is unknown
here."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from export.actions.jobs import building_folder, final_folder, inside_exports
from export.algorithms.plan import Plan, make_plan
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.algorithms.rows import Picture
from export.build import masks, rows_from_database, upscaling
from export.build.path_lengths import path_lengths_of, problem_at
from export.build.sinks import files_below, move_whole, share, zip_folder
from export.build.write import Built, build
from export.models import ExportJob
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import StoreFull
from ingest.models import Collection, RunState
from ingest.pipeline.claims import Kind, Reporter
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

SHARED_UMASK = 0o022  # others read

PICTURE_MAX_S = 1800  # upscaling one takes minutes on a slow processor
EXPORTS = Kind(ExportJob, noun="export", retry="press Retry", step_max_s=PICTURE_MAX_S, related=("collection",))


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


def plan_of(
    collection: Collection, recipe: Recipe, *, on_progress: Callable[[int], None] = lambda done: None
) -> tuple[Plan, dict[str, int]]:
    """Return a recipe's plan for the current collection, and the number of pictures left out by reason."""

    def read() -> Iterator[Picture]:
        rows = rows_from_database.pictures(collection, name_clusters=recipe.arrange.name_clusters)
        for number, row in enumerate(rows):
            if number % 500 == 0:
                on_progress(0)
            yield row

    plan = make_plan(read(), recipe, factor=upscaling.factor_of(collection, recipe))
    return plan, rows_from_database.left_out(collection) | dict(plan.left_out)


def write(
    collection: Collection, recipe: Recipe, *, folder: Path, target: Path, on_progress: Callable[[int, int], None]
) -> tuple[Plan, Built, dict[str, int]]:
    """Plan and write a dataset into `folder`; `heard` gets done and total. `target`: where it will be moved to.

    Raises BadInput when no picture is exported, or paths are too long for this server.
    """
    plan, left_out = plan_of(collection, recipe, on_progress=lambda done: on_progress(done, 0))
    if not plan.items:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "there are no kept frames"
        raise BadInput(f"No picture would be in this dataset: {reasons}.")
    lengths = path_lengths_of(plan, recipe, name=target.name)
    if problem := problem_at(max(folder, target, key=lambda path: len(str(path))), lengths.longest):
        raise BadInput(problem)
    total = len(plan.items)
    upscaler = upscaling.open_for(collection, recipe) if any(item.passes for item in plan.items) else None
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
    return plan, built, left_out


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

    plan, built, left_out = write(
        job.collection, recipe, folder=folder, target=inside_exports(target), on_progress=report_progress
    )
    count = len(plan.items)
    final = inside_exports(target)
    report(at_once=True, folder=target)  # before it is there: whoever deletes the job finds it, whenever we are killed
    move_whole(folder, final)
    size = sum(path.stat().st_size for path in files_below(final))
    frames = sum(item.crop is None for item in plan.items)
    counters |= {
        "phase": "packing",
        "pictures": count,
        "frames": frames,
        "resumed": built.resumed,
        "left_out": left_out,
    }
    counters["folders"], counters["epoch"] = len(plan.balance.folders), round(plan.balance.epoch, 2)
    counters["upscaled"] = {str(passes): count for passes, count in sorted(plan.upscaled.items())}
    counters["captions_by_person"] = sum(item.picture.caption is not None for item in plan.items)
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
