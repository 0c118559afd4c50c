"""The whole pipeline in this process, without Redis: inputs in, a data set out. What `manage.py build_dataset` runs.

Everything is kept in the database and the store, so a second call goes on where the first was stopped.
"""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Count, Q

from annotate.actions import references as reference_actions
from annotate.models import Character, Face, FaceState
from export import running
from export.recipe import Recipe
from export.sinks import building_place, check_place, move_whole
from ingest.actions import collections as collection_actions
from ingest.actions import full_pictures, runs, sources
from ingest.actions.sources import AlreadyThere
from ingest.errors import BadInput, KomaError
from ingest.imaging.folders import list_folder
from ingest.models import FINISHED, Collection, Episode, Frame, FrameState, Membership, PipelineRun, Role, RunState
from ingest.pipeline import runner
from ingest.pipeline.settling import settle

CLOCKS_APART = timedelta(minutes=2)  # of machines whose workers take part
WAIT_S = 0.5  # between looks at a stage that another worker of this installation has

Say = Callable[[str], None]


@dataclass(slots=True)
class Input:
    """One thing that was asked for, what became of it, and why not."""

    path: str
    episode: str = ""
    reason: str = ""
    episode_id: int = 0

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclass(slots=True)
class Outcome:
    """What a call did."""

    collection: str
    out: str
    inputs: list[Input] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error and all(entry.ok for entry in self.inputs)

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "collection": self.collection,
            "out": self.out,
            "inputs": [{"path": e.path, "ok": e.ok, "episode": e.episode, "reason": e.reason} for e in self.inputs],
            "counts": self.counts,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "warnings": self.warnings,
            "error": self.error,
        }


def build_dataset(
    paths: Sequence[Path],
    *,
    collection_name: str,
    out: Path,
    recipe: Recipe,
    references: Path | None = None,
    say: Say = lambda text: None,
) -> Outcome:
    """Register the inputs, run all stages, name faces by the references, write the data set at `out`.

    An input that cannot be used is recorded with its reason and the others go on; `Outcome.ok` is then False.
    Raises KomaError only for what stops everything before it begins.
    """
    outcome = Outcome(collection_name, str(out))
    collection = open_collection(collection_name)
    episodes = _register(collection, paths, outcome, say)
    if references is not None:
        before = time.perf_counter()
        added = reference_actions.add_folder(collection=collection, folder=references, by=None)
        say(f"references: {added.pictures} new pictures of {added.characters} characters, {added.known} known already")
        outcome.warnings += added.left_out
        outcome.seconds["references"] = time.perf_counter() - before
    if episodes:
        _run(collection, episodes, outcome, say)
    _count(collection, outcome)
    try:
        _write(collection, recipe, out, outcome, say)
    except (KomaError, OSError) as error:
        outcome.error = str(error)
    return outcome


def open_collection(name: str) -> Collection:
    """The collection of this name, made when there is none; admins of the site become its admins.

    Raises BadInput when two have the name.
    """
    clean = " ".join(name.split())
    found = list(Collection.objects.filter(name=clean)[:2])
    if len(found) > 1:
        raise BadInput(f"Two collections are called {clean}; rename one of them in the browser.")
    if found:
        return found[0]
    collection = collection_actions.create(name=clean, by=None)
    for user in User.objects.filter(is_superuser=True, is_active=True):
        Membership.objects.create(collection=collection, user=user, role=Role.ADMIN)
    return collection


def _register(collection: Collection, paths: Iterable[Path], outcome: Outcome, say: Say) -> list[Episode]:
    episodes: dict[int, Episode] = {}
    for path in paths:
        try:
            found = list(_inputs(path))
        except KomaError as error:
            outcome.inputs.append(Input(str(path), reason=error.message))
            continue
        for one in found:
            entry = Input(str(one))
            outcome.inputs.append(entry)
            try:
                episode = sources.register(collection=collection, path=one.absolute(), by=None)
                say(f"{one.name}: added as {episode.label}")
            except AlreadyThere as known:
                episode = known.episode
                say(f"{one.name}: known as {episode.label}")
            except KomaError as error:
                entry.reason = error.message
                say(f"{one.name}: not used. {error.message}")
                continue
            entry.episode, entry.episode_id = episode.label, episode.pk
            episodes[episode.pk] = episode
    return list(episodes.values())


def _inputs(path: Path) -> Iterable[Path]:
    """A file as it is; of a folder its films and zips, and the folder itself when it holds pictures."""
    if not path.is_dir():
        return [path]
    listing = list_folder(path)
    found = [path / name for name in (*listing.videos, *listing.zips)]
    if listing.pictures:
        found.append(path)
    if not found:
        raise BadInput(f"{path.name}: this folder holds no films, zips or pictures that can be read.")
    return found


def _run(collection: Collection, episodes: list[Episode], outcome: Outcome, say: Say) -> None:
    _take_back(collection)
    models: dict[str, Any] = {}
    for old in list(collection.runs.exclude(state__in=FINISHED).order_by("pk")):
        say(f"going on with run {old.pk}")
        _to_the_end(old, models, outcome, say)
    run = runs.start(collection=collection, episodes=episodes, by=None)
    _to_the_end(run, models, outcome, say)
    for more in full_pictures.start_wanting(collection):
        say(f"full pictures of frames of other episodes that are kept again: run {more.pk}")
        _to_the_end(more, models, outcome, say)
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
            entry.reason = f"No picture came out of it. {why or ''}".strip()


def _to_the_end(run: PipelineRun, models: dict[str, Any], outcome: Outcome, say: Say) -> None:
    """Run every stage here; what a worker of this installation has taken is waited for."""
    told: set[int] = set()
    latest: datetime | None = None
    while run.state not in FINISHED:
        waiting = run.stages.filter(state=RunState.QUEUED).select_related("episode").order_by("order", "pk").first()
        if waiting is not None:
            say(f"{waiting.stage}: {waiting.episode or 'the whole collection'}")
            runner.execute(waiting.pk, models=models)
        else:
            time.sleep(WAIT_S)
            runner.sweep()
        ended = run.stages.filter(state__in=FINISHED).order_by("finished_at", "pk")
        for row in ended if latest is None else ended.filter(finished_at__gte=latest - CLOCKS_APART):
            if row.pk in told:
                continue
            told.add(row.pk)
            latest = row.finished_at
            seconds = float(row.timings.get("total", 0.0))
            outcome.seconds[row.stage] = outcome.seconds.get(row.stage, 0.0) + seconds
            if row.error:
                say(f"{row.stage}: {row.error}")
        run.refresh_from_db()


def _take_back(collection: Collection) -> None:
    """Free the stages that a killed call of this command on this machine left running."""
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
    for skipped in collection.skipped_inputs.all():
        outcome.warnings.append(f"{skipped.name}: {skipped.reason}")


def _write(collection: Collection, recipe: Recipe, out: Path, outcome: Outcome, say: Say) -> None:
    before = time.perf_counter()
    out = out.absolute()
    check_place(out)
    building = building_place(out)
    building.parent.mkdir(parents=True, exist_ok=True)
    shown = [-1]

    def heard(done: int, total: int) -> None:
        if total and (percent := 100 * done // total // 10 * 10) != shown[0]:
            shown[0] = percent
            say(f"writing: {done:,} of {total:,} pictures")

    plan, built, left_out = running.write(collection, recipe, folder=building, heard=heard)
    move_whole(building, out)
    outcome.counts |= {
        "exported": len(plan.items),
        "folders": len(plan.balance.folders),
        "epoch": round(plan.balance.epoch, 2),
        "left_out": left_out,
        "upscaled": {str(passes): count for passes, count in sorted(plan.upscaled.items())},
        "by_level": dict(sorted(Counter((item.folder or ("",))[0] for item in plan.items).items())),
    }
    outcome.warnings += built.warnings
    outcome.seconds["export"] = time.perf_counter() - before
    say(f"written: {out}")
