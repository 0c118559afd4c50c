"""Runs that write the full pictures of kept frames that have none: after many frames were restored, and for frames that
similar-image removal keeps again in episodes that are in no run."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from ingest.actions import frames as frame_actions
from ingest.actions import runs
from ingest.errors import BadInput, Conflict
from ingest.models import FINISHED, Collection, Episode, Frame, FrameState, PipelineRun, RunState, SourceKind, StageRun
from ingest.pipeline.registry import stages
from ingest.restoring import check_source

logger = logging.getLogger(__name__)

STAGE = "pictures"


def episodes_lacking_pictures() -> QuerySet[Episode]:
    """Episodes of films in no unfinished run that have kept frames without a full picture.

    Without those whose last attempt failed or was stopped by a person: they wait for Retry or Resume.
    """
    attempts = StageRun.objects.filter(episode=OuterRef("pk"), stage=STAGE).order_by("-pk")
    lacking = Frame.objects.filter(state=FrameState.KEPT, file="").order_by().values("episode")
    return (
        Episode.objects.filter(
            pk__in=lacking, source__kind=SourceKind.VIDEO, collection__archived_at=None, extracted_at__isnull=False
        )
        .exclude(Exists(StageRun.objects.filter(episode=OuterRef("pk")).exclude(run__state__in=FINISHED)))
        .annotate(last=Subquery(attempts.values("state")[:1]))
        .filter(Q(last=None) | Q(last=RunState.DONE))
        .order_by("collection_id", "pk")
    )


def start_lacking(collection: Collection | None = None) -> list[PipelineRun]:
    """Start one run per collection for `episodes_lacking_pictures`, created by nobody; its stages are queued."""
    if STAGE not in stages():
        return []
    rows = episodes_lacking_pictures()
    if collection is not None:
        rows = rows.filter(collection=collection)
    by_collection: dict[Collection, list[Episode]] = {}
    for episode in rows.select_related("collection"):
        by_collection.setdefault(episode.collection, []).append(episode)
    started = []
    for owner, episodes in by_collection.items():
        try:
            started.append(runs.start(collection=owner, episodes=episodes, by=None, stage_names=[STAGE]))
        except Conflict:  # another worker was quicker, a person has just started a run, or deleted the collection
            continue
        except BadInput as error:  # settings of another Koma
            logger.warning("No run for the full pictures of collection %s: %s", owner.pk, error)
    return started


def restore_later(
    *, collection: Collection, frames: Sequence[Frame], by: Any, seen: frame_actions.Seen = None, key: str = ""
) -> tuple[str, PipelineRun | None]:
    """Restore frames at once and start a run that writes their full pictures; returns a message and the run.

    The run is None where all episodes are in a run already (another follows by itself), and where another run has
    written all pictures since `frames` were read (the same form sent twice). Raises BadInput, with nothing changed,
    when a film is missing. Select `episode__source` before.
    """
    for episode in _episodes(frames):
        check_source(episode)
    with transaction.atomic():
        done = frame_actions.restore(collection=collection, frames=frames, by=by, seen=seen, key=key)
        bare = Frame.objects.kept().filter(pk__in=[frame.pk for frame in frames], file="").values_list("pk", flat=True)
        lacking = set(bare)  # read again: a run may have ended since
        left = [frame for frame in frames if frame.pk in lacking]
        busy = set(
            StageRun.objects.filter(run__collection=collection)
            .exclude(run__state__in=FINISHED)
            .values_list("episode_id", flat=True)
        )
        free = [episode for episode in _episodes(left) if episode.pk not in busy]
        run = runs.start(collection=collection, episodes=free, by=by, stage_names=[STAGE]) if free else None
    number = len(left)
    if not number:
        return f"{done.summary}.", None
    pictures = "full picture is" if number == 1 else "full pictures are"
    words = f"{done.summary}. {number:,} {pictures} decoded from the films again"
    words += f" by run {run.number}" if run else " after the current run"
    return f"{words}; until then there are previews, and exports leave them out.", run


def _episodes(frames: Iterable[Frame]) -> list[Episode]:
    return list({frame.episode_id: frame.episode for frame in frames if not frame.file}.values())
