"""Runs an ExportJob: claim, read, write, move whole, pack. The database row is the truth; RQ is not known here."""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from export.actions.jobs import building_folder, final_folder, inside_exports
from export.algorithms.plan import Plan, make_plan
from export.algorithms.recipe import Recipe, RecipeError, parse
from export.algorithms.rows import Picture
from export.build import masks, rows_from_database, upscaling
from export.build.path_lengths import path_lengths_of, problem_at
from export.build.sinks import files_below, move_whole, share, zip_folder
from export.build.write import Built, build
from export.models import ExportJob
from ingest.errors import BadInput, Cancelled, KomaError, LostClaim
from ingest.imaging.store import StoreFull
from ingest.models import Collection, RunState
from ingest.storage.stored_files import store

logger = logging.getLogger(__name__)

SHARED_UMASK = 0o022  # others read

HEARTBEAT_MAX_AGE_S = 180  # a batch of pictures takes seconds; older means that the worker is dead
ATTEMPTS_MAX = 5
_TELL_EVERY_S = 0.7  # how often the row is written while files are


@dataclass(slots=True)
class _Reporter:
    """Writes progress and the heartbeat to the job's row; stops the work when it is cancelled or taken over."""

    job: ExportJob
    last: float = 0.0

    def __call__(self, done: int, *, at_once: bool = False, **values: Any) -> None:
        now = time.monotonic()
        if not at_once and now - self.last < _TELL_EVERY_S:
            return
        self.last = now
        mine = ExportJob.objects.filter(pk=self.job.pk, token=self.job.token, state=RunState.RUNNING)
        if not mine.update(done=done, heartbeat_at=timezone.now(), **values):
            raise LostClaim("Another worker has this export now.")
        if ExportJob.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise Cancelled("Cancelled.")


def execute(job_id: int) -> RunState | None:
    """Run a queued export to its end; None when somebody else has it. Never raises for the export's own failure."""
    job = claim(job_id)
    if job is None:
        return None
    try:
        _run(job)
        state, error = RunState.DONE, ""
    except Cancelled:
        state, error = RunState.CANCELLED, ""
    except LostClaim:
        return None
    except (KomaError, RecipeError, StoreFull) as problem:
        state, error = RunState.FAILED, str(problem)
    except Exception as problem:  # a failing job must end as a row that says so
        logger.exception("export %s failed", job_id)
        state = RunState.FAILED
        error = f"The export broke with {type(problem).__name__}: {problem}. The worker's log has the details."
    ExportJob.objects.filter(pk=job.pk, token=job.token).update(state=state, error=error, finished_at=timezone.now())
    return state


def claim(job_id: int) -> ExportJob | None:
    """Take a queued job by a conditional UPDATE; None when it is not queued any more."""
    now = timezone.now()
    taken = ExportJob.objects.filter(pk=job_id, state=RunState.QUEUED).update(
        state=RunState.RUNNING, token=uuid.uuid4().hex, attempt=F("attempt") + 1, started_at=now, heartbeat_at=now
    )
    return ExportJob.objects.select_related("collection").get(pk=job_id) if taken else None


def take_back_dead(*, max_age_s: float = HEARTBEAT_MAX_AGE_S) -> list[int]:
    """Queue jobs again whose worker died; returns the keys of all that wait. After five deaths a job has failed."""
    dead = ExportJob.objects.filter(
        state=RunState.RUNNING, heartbeat_at__lt=timezone.now() - timedelta(seconds=max_age_s)
    )
    for job in dead:
        mine = ExportJob.objects.filter(pk=job.pk, token=job.token, state=RunState.RUNNING)
        if job.attempt >= ATTEMPTS_MAX:
            text = f"The worker died {job.attempt} times in this export; see its log, then press Resume."
            mine.update(state=RunState.FAILED, token="", error=text, finished_at=timezone.now())
        else:
            mine.update(state=RunState.QUEUED, token="")
    return list(ExportJob.objects.filter(state=RunState.QUEUED).values_list("pk", flat=True))


def plan_of(
    collection: Collection, recipe: Recipe, *, heard: Callable[[int], None] = lambda done: None
) -> tuple[Plan, dict[str, int]]:
    """The plan of a recipe over a collection as it is now, and all pictures that stay out, by reason."""

    def read() -> Iterator[Picture]:
        rows = rows_from_database.pictures(collection, name_clusters=recipe.arrange.name_clusters)
        for number, row in enumerate(rows):
            if number % 500 == 0:
                heard(0)
            yield row

    plan = make_plan(read(), recipe, factor=upscaling.factor_of(collection, recipe))
    return plan, rows_from_database.left_out(collection) | dict(plan.left_out)


def write(
    collection: Collection, recipe: Recipe, *, folder: Path, target: Path, heard: Callable[[int, int], None]
) -> tuple[Plan, Built, dict[str, int]]:
    """Plan and write a data set into `folder`; `heard` gets done and total. `target`: where it will be moved to.

    Raises BadInput when nothing goes out, and for paths that are too long for this server.
    """
    plan, left_out = plan_of(collection, recipe, heard=lambda done: heard(done, 0))
    if not plan.items:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items()) or "there are no kept frames"
        raise BadInput(f"No picture would be in this data set: {reasons}.")
    lengths = path_lengths_of(plan, recipe, name=target.name)
    if problem := problem_at(max(folder, target, key=lambda path: len(str(path))), lengths.longest):
        raise BadInput(problem)
    total = len(plan.items)
    upscaler = upscaling.open_for(collection, recipe) if any(item.passes for item in plan.items) else None
    built = build(
        plan, recipe, store=store(), folder=folder, heard=lambda done: heard(done, total), upscaler=upscaler,
        masker=masks.open_for(collection, recipe),
    )  # fmt: skip
    built.warnings += lengths.warnings
    return plan, built, left_out


def _run(job: ExportJob) -> None:
    recipe = parse(job.params)
    report = _Reporter(job)
    folder, target = building_folder(job.pk), final_folder(job)
    counters: dict[str, Any] = {"phase": "reading"}
    report(0, at_once=True, counters=counters)

    def heard(done: int, total: int) -> None:
        counters["phase"] = "writing" if total else "reading"
        report(done, total=total, counters=counters)

    plan, built, left_out = write(job.collection, recipe, folder=folder, target=inside_exports(target), heard=heard)
    count = len(plan.items)
    final = inside_exports(target)
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
    values: dict[str, Any] = {"folder": target, "total": count, "warnings": list(built.warnings), "size_bytes": size}
    report(count, at_once=True, counters=counters, **values)
    if recipe.output.zip:
        packed = inside_exports(f"{target}.zip")

        def packing(done: int) -> None:
            counters["packed_percent"] = min(99, 100 * done // max(1, size))
            report(count, counters=counters)

        zip_folder(final, packed, top=final.name, each=packing, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        report(count, at_once=True, zip_file=f"{target}.zip")
    if settings.KOMA_EXPORTS_SHARED:
        Path(settings.KOMA_EXPORT_DIR).chmod(0o777 & ~SHARED_UMASK)
        for place in (final, inside_exports(f"{target}.zip")):
            share(place, umask=SHARED_UMASK)
    counters.pop("packed_percent", None)
    counters["phase"] = "done"
    report(count, at_once=True, counters=counters)
    shutil.rmtree(folder, ignore_errors=True)
    logger.info("export %s: %s pictures in %s folders, process %s", job.pk, count, counters["folders"], os.getpid())
