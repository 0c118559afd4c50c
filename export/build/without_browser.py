"""The complete pipeline in this process, without Redis, from inputs to a dataset: what `manage.py build_dataset` runs.

All state is in the database and the store, so a second call continues where the first stopped.
"""

from __future__ import annotations

import json
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Q

from annotate.actions import references as reference_actions
from annotate.actions import tag_lists
from annotate.backends.taggers import filter_lists
from annotate.chosen_models import choices
from annotate.models import Character, Face, FaceState
from export.algorithms.recipe import Recipe
from export.build import export_job
from export.build.sinks import building_place, check_place, move_whole, share
from export.build.without_browser_config import Config
from ingest.actions import collections as collection_actions
from ingest.actions import full_pictures, runs, sources
from ingest.actions.collections import keep_run_settings
from ingest.actions.sources import AlreadyThere
from ingest.errors import BadInput, KomaError
from ingest.imaging.folders import list_folder
from ingest.models import FINISHED, Collection, Episode, Frame, FrameState, Membership, PipelineRun, Role, RunState
from ingest.pipeline import runner
from ingest.pipeline.registry import stages
from ingest.pipeline.settling import settle

CLOCKS_APART = timedelta(minutes=2)  # allowed clock difference of machines with workers
WAIT_S = 0.5  # between polls of a stage that another worker has

Report = Callable[[str], None]


REFUSED_SHOWN = 100  # files of one input in the answer; the file beside the dataset lists all


@dataclass(slots=True)
class Input:
    """One requested input, its result, and the reason if it failed.

    `refused`: files inside it that could not be used, with their reasons, the first REFUSED_SHOWN of `refused_count`.
    """

    path: str
    episode: str = ""
    reason: str = ""
    episode_id: int = 0
    refused: list[dict[str, str]] = field(default_factory=list)
    refused_count: int = 0

    @property
    def ok(self) -> bool:
        return not self.reason and not self.refused_count

    def as_dict(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "ok": self.ok,
            "episode": self.episode,
            "reason": self.reason,
            "refused": self.refused,
            "refused_count": self.refused_count,
        }


@dataclass(slots=True)
class Outcome:
    """Result of a call. `refused_file`: the list of all refused files of all inputs, if there are any."""

    collection: str
    out: str
    inputs: list[Input] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    refused_file: str = ""
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error and all(entry.ok for entry in self.inputs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "collection": self.collection,
            "out": self.out,
            "inputs": [entry.as_dict() for entry in self.inputs],
            "refused_file": self.refused_file,
            "counts": self.counts,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "warnings": self.warnings,
            "error": self.error,
        }


def build_dataset(config: Config, *, report: Report = lambda text: None) -> Outcome:
    """Register the inputs, run the stages, name faces by the references, write the dataset.

    An input that cannot be used, fully or in part, is recorded with its reason, and the others continue; `Outcome.ok`
    is then False. Raises KomaError only for problems that prevent the start.
    """
    if config.out is None or not config.collection or not config.inputs:
        raise BadInput("A build needs a collection, a place for the dataset and at least one input.")
    recipe = config.parsed_recipe()
    outcome = Outcome(config.collection, str(config.out))
    collection = open_collection(config.collection)
    _choose(collection, config)
    episodes = _register(collection, config, outcome, report)
    if config.references is not None:
        before = time.perf_counter()
        added = reference_actions.add_folder(collection=collection, folder=config.references, by=None)
        report(
            f"references: {added.pictures} new pictures of {added.characters} characters, {added.known} already known"
        )
        outcome.warnings += added.left_out
        outcome.seconds["references"] = time.perf_counter() - before
    if episodes:
        _run(collection, episodes, config, outcome, report)
    _count(collection, outcome)
    try:
        _write(collection, recipe, config.out, outcome, report)
    except (KomaError, OSError) as error:
        outcome.error = str(error)
    _list_refused(collection, config.out.absolute(), outcome)
    return outcome


def _choose(collection: Collection, config: Config) -> None:
    """Apply the models and tag lists of the config. Raises BadInput before any picture is read."""
    running_stages = (
        [name for name, stage in stages().items() if stage.by_default()] if config.stages is None else config.stages
    )
    for name in config.params:
        if name not in running_stages:
            raise BadInput(
                f"stages.{name}: this stage does not run, so its settings would have no effect. Add it to run.stages."
            )
    for task, names in config.models.items():
        choices.choose(collection=collection, task=task, names=names, by=None)
    for kind_text, path in config.tag_lists.items():
        kind = tag_lists.kind_of(kind_text)
        if path is None:
            tag_lists.use(collection=collection, kind=kind, key=None, by=None)
        else:
            data = filter_lists.read_file(path)
            tag_lists.add(collection=collection, kind=kind, name=path.name, data=data, by=None)


def _list_refused(collection: Collection, out: Path, outcome: Outcome) -> None:
    """Write all refused files of this call beside the dataset, else, where that cannot be, with Koma's data."""
    keys = {entry.episode_id: entry.path for entry in outcome.inputs if entry.refused_count}
    if not keys:
        return
    rows = collection.skipped_inputs.filter(episode__in=keys).order_by("episode_id", "pk")
    listed = [
        {"input": keys[episode], "file": name, "reason": reason}
        for episode, name, reason in rows.values_list("episode_id", "name", "reason")
    ]
    text = json.dumps(listed, ensure_ascii=False, indent=1) + "\n"
    for place in (
        out.with_name(f"{out.name}.refused.json"),
        Path(settings.KOMA_DATA_DIR) / f"refused-{collection.pk}.json",
    ):
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
        except OSError:
            continue
        outcome.refused_file = str(place)
        return
    outcome.warnings.append(
        "The list of refused files could not be written; the first of each input are in this result."
    )


def open_collection(name: str) -> Collection:
    """Return the collection of this name; if missing, create it with the site's admins as its admins.

    Raises BadInput when two collections have the name.
    """
    clean = " ".join(name.split())
    collections = list(Collection.objects.filter(name=clean)[:2])
    if len(collections) > 1:
        raise BadInput(f"Two collections are called {clean}; rename one of them in the browser.")
    if collections:
        return collections[0]
    collection = collection_actions.create(name=clean, by=None)
    for user in User.objects.filter(is_superuser=True, is_active=True):
        Membership.objects.create(collection=collection, user=user, role=Role.ADMIN)
    return collection


def _register(collection: Collection, config: Config, outcome: Outcome, report: Report) -> list[Episode]:
    episodes: dict[int, Episode] = {}
    for input_config in config.inputs:
        try:
            paths = list(_inputs(input_config.path))
        except KomaError as error:
            outcome.inputs.append(Input(str(input_config.path), reason=error.message))
            continue
        for path in paths:
            entry = Input(str(path))
            outcome.inputs.append(entry)
            try:
                episode = _added(collection, path, config.about(input_config), report)
            except KomaError as error:
                entry.reason = error.message
                report(f"{path.name}: not used. {error.message}")
                continue
            entry.episode, entry.episode_id = episode.label, episode.pk
            episodes[episode.pk] = episode
    return list(episodes.values())


def _added(collection: Collection, path: Path, about: dict[str, Any], report: Report) -> Episode:
    """Return the episode of an input, new or known, with its settings from the config."""
    try:
        episode = sources.register(collection=collection, path=path.absolute(), by=None)
        word = "added"
    except AlreadyThere as known:
        episode, word = known.episode, "known"
    other = {
        name: value
        for name, value in about.items()
        if value != getattr(episode if hasattr(episode, name) else episode.source, name)
    }
    if other:
        sources.change(episode=episode, by=None, values=other)
    report(f"{path.name}: {word} as {episode.label}")
    return episode


def _inputs(path: Path) -> Iterable[Path]:
    """Yield a file itself; for a folder its films and ZIPs, and the folder itself if it holds pictures."""
    if not path.is_dir():
        return [path]
    listing = list_folder(path)
    paths = [path / name for name in (*listing.videos, *listing.zips)]
    if listing.pictures:
        paths.append(path)
    if not paths:
        raise BadInput(f"{path.name}: this folder holds no films, zips or pictures that can be read.")
    return paths


def _run(collection: Collection, episodes: list[Episode], config: Config, outcome: Outcome, report: Report) -> None:
    _take_back(collection)
    models: dict[str, Any] = {}
    for old in list(collection.runs.exclude(state__in=FINISHED).order_by("pk")):
        report(f"resuming run {old.pk}")
        _to_the_end(old, models, outcome, report)
    run = runs.start(collection=collection, episodes=episodes, by=None, stage_names=config.stages, params=config.params)
    if config.keep:
        keep_run_settings(collection=collection, params=run.params, by=None)
    _to_the_end(run, models, outcome, report)
    for more in full_pictures.start_lacking(collection):
        report(f"full pictures of frames of other episodes that are kept again: run {more.pk}")
        _to_the_end(more, models, outcome, report)
    failed = run.stages.filter(state__in=(RunState.FAILED, RunState.CANCELLED)).exclude(error="").order_by("order")
    for row in failed:
        entries = [entry for entry in outcome.inputs if entry.episode_id and entry.episode_id == row.episode_id]
        for entry in entries:
            entry.reason = entry.reason or f"{row.stage}: {row.error}"
        if not entries and row.state == RunState.FAILED:
            outcome.error = f"{row.stage}: {row.error}"
    for entry in outcome.inputs:
        if entry.ok and not Frame.objects.filter(episode=entry.episode_id).exists():
            skipped = collection.skipped_inputs.filter(episode=entry.episode_id)
            why = skipped.values_list("reason", flat=True).first()
            entry.reason = f"No pictures were produced. {why or ''}".strip()
    for entry in outcome.inputs:
        if entry.episode_id:
            rows = collection.skipped_inputs.filter(episode=entry.episode_id).order_by("pk")
            entry.refused_count = rows.count()
            refusals = rows.values_list("name", "reason")[:REFUSED_SHOWN]
            entry.refused = [{"file": name, "reason": reason} for name, reason in refusals]


def _to_the_end(run: PipelineRun, models: dict[str, Any], outcome: Outcome, report: Report) -> None:
    """Run every stage here, and wait for those that a worker of this installation has claimed."""
    reported: set[int] = set()
    latest: datetime | None = None
    while run.state not in FINISHED:
        waiting = run.stages.filter(state=RunState.QUEUED).select_related("episode").order_by("order", "pk").first()
        if waiting is not None:
            report(f"{waiting.stage}: {waiting.episode or 'the whole collection'}")
            runner.execute(waiting.pk, models=models)
        else:
            time.sleep(WAIT_S)
            runner.sweep()
        ended = run.stages.filter(state__in=FINISHED).order_by("finished_at", "pk")
        for row in ended if latest is None else ended.filter(finished_at__gte=latest - CLOCKS_APART):
            if row.pk in reported:
                continue
            reported.add(row.pk)
            latest = row.finished_at
            seconds = float(row.timings.get("total", 0.0))
            outcome.seconds[row.stage] = outcome.seconds.get(row.stage, 0.0) + seconds
            if row.error:
                report(f"{row.stage}: {row.error}")
        run.refresh_from_db()


def _take_back(collection: Collection) -> None:
    """Release the stages that a killed call of this command on this machine left running."""
    for run in collection.runs.exclude(state__in=FINISHED):
        for row in run.stages.filter(state=RunState.RUNNING):
            host, _, process = row.worker.rpartition(":")
            if host == socket.gethostname() and process.isdigit() and not Path(f"/proc/{process}").exists():
                run.stages.filter(pk=row.pk, token=row.token).update(state=RunState.QUEUED, token="")
        settle(run)


def _count(collection: Collection, outcome: Outcome) -> None:
    frames = Frame.objects.filter(collection=collection)
    dropped = frames.filter(state=FrameState.DROPPED).values_list("reason").annotate(n=Count("pk")).order_by()
    faces = Face.objects.real().filter(collection=collection, frame__state=FrameState.KEPT)
    named = faces.aggregate(
        faces=Count("pk"), named=Count("pk", filter=Q(state=FaceState.FACE, character__isnull=False))
    )
    outcome.counts = {
        "episodes": collection.episodes.count(),
        "decoded": sum(collection.episodes.values_list("decoded", flat=True)),
        "frames": frames.count(),
        "kept": frames.kept().count(),
        "dropped": {str(reason): int(count) for reason, count in dropped},
        "with_faces": frames.kept().filter(face_count__gte=1).count(),
        **named,
        "characters": Character.objects.filter(collection=collection).count(),
    }
    for episode in collection.episodes.select_related("source"):
        outcome.warnings += [f"{episode.source.name}: {text}" for text in episode.warnings]


def _write(collection: Collection, recipe: Recipe, out: Path, outcome: Outcome, report: Report) -> None:
    before = time.perf_counter()
    out = out.absolute()
    check_place(out)
    building = building_place(out)
    building.parent.mkdir(parents=True, exist_ok=True)
    last_percent = [-1]

    def report_progress(done: int, total: int) -> None:
        if total and (percent := 100 * done // total // 10 * 10) != last_percent[0]:
            last_percent[0] = percent
            report(f"writing: {done:,} of {total:,} pictures")

    plan, built, _ = export_job.write(collection, recipe, folder=building, target=out, on_progress=report_progress)
    move_whole(building, out)
    share(out, umask=settings.KOMA_UMASK)  # readable like any other file the user writes
    by_level: Counter[str] = Counter()
    for share_of in plan.balance.folders:
        by_level[(share_of.path or ("",))[0]] += share_of.pictures
    outcome.counts |= {
        "exported": len(plan.items),
        "folders": len(plan.balance.folders),
        "epoch": round(plan.balance.epoch, 2),
        "left_out": dict(plan.left_out),
        "upscaled": {str(passes): count for passes, count in sorted(plan.upscaled.items())},
        "by_level": dict(sorted(by_level.items())),
    }
    outcome.warnings += built.warnings
    outcome.seconds["export"] = time.perf_counter() - before
    report(f"written: {out}")
