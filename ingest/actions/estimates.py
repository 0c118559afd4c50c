"""How long a run takes and how much disk space it needs: from earlier runs on this site, else from guesses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Exists, OuterRef, Sum

from ingest.imaging.store import Store
from ingest.models import (
    Collection,
    Episode,
    Frame,
    FrameCount,
    FrameState,
    PipelineRun,
    RunState,
    SourceKind,
    StageRun,
)
from ingest.pipeline import progress
from ingest.pipeline.progress import Lane, Outlook, Summary
from ingest.storage.stored_files import available_bytes, store

# Guesses for a machine that has not run anything yet: an episode of 24 minutes at 1080p on two cores.
KEPT_PER_S = 0.8  # frames a second of film that are kept in the end
DRAWINGS_PER_S = 4.0  # distinct drawings a second: a row and a preview each
FILE_BYTES_PER_PIXEL = 0.35
PREVIEW_BYTES = 14_000
SECONDS_PER_FILM_SECOND = 0.12  # extract, at 1080p
SECONDS_PER_PICTURE = 0.25  # reading pictures
SECONDS_PER_FRAME = {"draw_demo": 0.1, "detect": 0.1, "tag": 0.05, "embed": 0.05, "caption": 1.0}
SECONDS_PER_FRAME_OTHER = 0.01
SAMPLE = 50
RUNS_SAMPLED = 20
EXPECTED_KEPT_S = 20  # pages of a run ask every two seconds

Counts = dict[int, tuple[int, int]]  # kept frames and all rows by episode


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the page before a run shows. `measured`: from runs on this machine, not from guesses."""

    seconds: float
    disk_bytes: int
    free_bytes: int
    frames: int
    measured: bool

    @property
    def has_room(self) -> bool:
        """False when the run would fill the disk."""
        return self.disk_bytes <= self.free_bytes


def estimate(*, collection: Collection, episodes: Sequence[Episode], stage_names: Sequence[str]) -> Estimate:
    """Add up over episodes and stages. Five queries, whatever the number of episodes."""
    counts, bare = _counts(episodes), _without_originals(episodes)
    rates = _rates(stage_names)
    disk, frames = 0.0, 0
    per_file = _file_bytes(collection)
    reads_pictures = {"extract", "read_pictures"} & set(stage_names)
    for episode in episodes:
        of_pictures = episode.source.kind == SourceKind.PICTURES
        known = counts.get(episode.pk, (0, 0))
        kept_frames, rows = known if known[1] else _expected(episode)
        frames += kept_frames
        if reads_pictures and of_pictures:  # each file as it came, unless that was stored before
            if not known[1]:
                disk += episode.source.size_bytes + rows * PREVIEW_BYTES
            elif episode.pk in bare:
                disk += episode.source.size_bytes
        elif reads_pictures and not known[1]:
            pixels = (episode.width * episode.height) or 1920 * 1080
            size = per_file or FILE_BYTES_PER_PIXEL * pixels
            disk += kept_frames * size + rows * PREVIEW_BYTES
    seconds = sum(_by_stage(episodes, stage_names, counts, rates).values())
    return Estimate(seconds, int(disk), available_bytes(), frames, bool(rates))


def seconds_by_stage(*, episodes: Sequence[Episode], stage_names: Sequence[str]) -> dict[str, float]:
    """Seconds that each stage will take over all the episodes. Two queries."""
    return _by_stage(episodes, stage_names, _counts(episodes), _rates(stage_names))


def outlook(run: PipelineRun, lanes: Sequence[Lane | Summary]) -> Outlook:
    """How far the run is, and how long it will still take."""
    if run.finished:
        return progress.outlook(lanes, {})

    def expected() -> dict[str, float]:
        of_run = Episode.objects.filter(Exists(StageRun.objects.filter(run=run, episode=OuterRef("pk"))))
        episodes = list(of_run.select_related("source"))
        return seconds_by_stage(episodes=episodes, stage_names=[lane.name for lane in lanes])

    return progress.outlook(lanes, cache.get_or_set(f"expected:{run.pk}", expected, EXPECTED_KEPT_S) or {})


def _by_stage(
    episodes: Sequence[Episode], stage_names: Sequence[str], counts: Counts, rates: dict[str, float]
) -> dict[str, float]:
    seconds = dict.fromkeys(stage_names, 0.0)
    for episode in episodes:
        known = counts.get(episode.pk, (0, 0))
        kept_frames, _ = known if known[1] else _expected(episode)
        for name in stage_names:
            seconds[name] += _stage_seconds(name, episode, kept_frames, rates)
    return seconds


def _expected(episode: Episode) -> tuple[int, int]:
    """Kept frames and rows to expect of an episode that was not read yet."""
    if episode.source.kind == SourceKind.PICTURES:
        pictures = max(1, episode.source.size_bytes // 500_000)
        return pictures, pictures
    return int(episode.duration_s * KEPT_PER_S) + 1, int(episode.duration_s * DRAWINGS_PER_S) + 1


def _counts(episodes: Sequence[Episode]) -> Counts:
    counts: Counts = {}
    for collection in {episode.collection_id for episode in episodes}:
        rows = FrameCount.objects.filter(collection_id=collection, n__gt=0).order_by()
        rows = rows.filter(episode_id__in=[episode.pk for episode in episodes])
        for pk, state, n in rows.values_list("episode_id", "state").annotate(sum=Sum("n")):
            kept_frames, total = counts.get(pk, (0, 0))
            counts[pk] = kept_frames + (n if state == FrameState.KEPT else 0), total + n
    return counts


def _without_originals(episodes: Sequence[Episode]) -> set[int]:
    """Episodes with pictures whose original files are not stored yet: a run that reads pictures stores them."""
    keys = [episode.pk for episode in episodes if episode.source.kind == SourceKind.PICTURES]
    return set(Frame.objects.filter(episode__in=keys, original="").order_by().values_list("episode", flat=True))


def _rates(stage_names: Sequence[str]) -> dict[str, float]:
    """Seconds per unit by stage, from the last finished stages: films by their length, all else by units done."""
    spent: dict[str, list[float]] = {}
    rows = StageRun.objects.filter(stage__in=stage_names, state=RunState.DONE, done__gt=0).select_related("episode")
    for row in rows.order_by("-pk")[: RUNS_SAMPLED * max(1, len(stage_names))]:
        total = float(row.timings.get("total", 0) or 0)
        by_length = row.stage == "extract" and row.episode is not None and row.episode.duration_s > 0
        units = row.episode.duration_s if by_length and row.episode is not None else row.done
        if total > 0:
            sums = spent.setdefault(row.stage, [0.0, 0.0])
            sums[0] += total
            sums[1] += units
    return {name: total / units for name, (total, units) in spent.items() if units}


def _stage_seconds(name: str, episode: Episode, kept_frames: int, rates: dict[str, float]) -> float:
    is_film = episode.source.kind == SourceKind.VIDEO
    if name == "extract":
        if not is_film:
            return 0.0
        pixels = (episode.width * episode.height) or 1920 * 1080
        guess = SECONDS_PER_FILM_SECOND * max(0.25, pixels / (1920 * 1080))
        return episode.duration_s * rates.get(name, guess)
    if name == "read_pictures":
        return 0.0 if is_film else kept_frames * rates.get(name, SECONDS_PER_PICTURE)
    return kept_frames * rates.get(name, SECONDS_PER_FRAME.get(name, SECONDS_PER_FRAME_OTHER))


def _file_bytes(collection: Collection) -> float:
    """Mean size of the collection's own full pictures; 0 when there are none."""
    files: Store = store()
    sizes = []
    names = Frame.objects.with_picture().filter(collection=collection).order_by("-pk")
    for name in names.values_list("file", flat=True)[:SAMPLE]:
        if files.exists(name):
            sizes.append(files.path(name).stat().st_size)
    return sum(sizes) / len(sizes) if sizes else 0.0
