"""Removes similar frames over all episodes of a collection by comparing stored descriptors."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from django.db.models import Q, QuerySet
from numpy.typing import NDArray

from ingest.algorithms.best_copy import preference, worth, worth_unmeasured
from ingest.algorithms.descriptors import DESCRIPTOR_SIZE, DESCRIPTOR_VERSION
from ingest.algorithms.near_duplicates import DEFAULT_THRESHOLD, Groups, find_groups
from ingest.algorithms.pose_groups import find_pose_groups
from ingest.algorithms.quality import QUALITY_VERSION
from ingest.models import DropReason, Episode, Frame, FrameState, Revision, SourceKind
from ingest.pipeline.contract import Stage
from ingest.stages import measuring
from ingest.stages.measuring import Measured, Outdated
from ingest.stages.small_pictures import SmallPictures

BATCH = 4_000
READ = 5_000
BETTER_MIN = 0.1  # octaves of detail by which a copy must be better to be mentioned in the log


@dataclass(slots=True)
class DedupChoices:
    """`threshold`: cosine (0.5..1) from which frames count as similar. `keep_poses`: only frames that show one pose.
    `across_episodes`: compare with other episodes too, so that openings are kept once. Raises ValueError."""

    threshold: float = field(
        default=DEFAULT_THRESHOLD,
        metadata={"label": "Similarity threshold", "help": "0.5 to 1; lower values drop more frames"},
    )
    keep_poses: bool = field(
        default=True,
        metadata={
            "label": "Keep poses",
            "help": "a moved arm or head makes another picture; mouths, blinks, subtitles and camera moves do not. "
            "Off: the threshold alone decides",
            "if_saved_before": False,
        },
    )
    across_episodes: bool = field(
        default=True, metadata={"label": "Compare all episodes", "help": "keeps openings, endings and recaps only once"}
    )

    def __post_init__(self) -> None:
        if not 0.5 <= self.threshold <= 1.0:
            raise ValueError(f"The similarity threshold is a number from 0.5 to 1, not {self.threshold}.")


@dataclass(slots=True)
class Verdict:
    """The result for a frame: kept, or a copy of another one at a distance (1 - cosine)."""

    frame_id: int
    copy_of: int | None
    distance: float | None


@dataclass(slots=True)
class _Candidates:
    """The frames that are compared, by episode and index: arrays of one element per frame."""

    ids: NDArray[np.int64]
    episodes: NDArray[np.int64]
    descriptors: NDArray[np.uint8]
    preference: NDArray[np.float32]
    pinned: NDArray[np.bool_]
    worth: NDArray[np.float64]
    worked_on: NDArray[np.bool_]
    previews: list[str]


class Dedup(Stage[list[Verdict] | Outdated, list[Verdict] | Measured]):
    """Compare all frames with each other and keep the best copy of each group.

    The result depends only on the collection's frames, not on an earlier or interrupted pass, so a second run changes
    nothing. A frame that a person kept stays and represents its copies; one that a person dropped is not compared.
    Full pictures are not changed here.
    """

    name = "dedup"
    label = "Similar frames"
    about = "Keeps the best of each group of similar frames, over the whole collection."
    queue = "cpu"
    per_episode = False
    params_type = DedupChoices
    _pairs_compared = 0

    def batches(self) -> Iterator[list[Verdict] | Outdated]:
        """Yield frames whose quality is of an older version, to be measured again; then the verdicts on all frames."""
        self.ctx.start_over()
        if outdated := measuring.count(self._frames()):
            self.ctx.log(f"{outdated:,} frames were measured by an older version and are measured again.")
            self.ctx.total = outdated
            yield from measuring.batches(self._frames())
        candidates = self._read()
        self.ctx.total += len(candidates.ids)
        if not len(candidates.ids):
            return
        self._pairs_compared = 0
        groups = self._groups(candidates)
        kept_count = int(groups.is_representative.sum())
        threshold = self.ctx.params.threshold
        self.ctx.log(
            f"{kept_count:,} of {len(candidates.ids):,} frames remain at a similarity threshold of {threshold:g}."
        )
        if self._pairs_compared:
            self.ctx.log(f"Poses were compared in {self._pairs_compared:,} pairs of frames.")
        self._log_better_copies(candidates, groups)
        for start in range(0, len(candidates.ids), BATCH):
            yield [
                _verdict(candidates.ids, groups, row) for row in range(start, min(start + BATCH, len(candidates.ids)))
            ]

    def work(self, batch: list[Verdict] | Outdated) -> list[Verdict] | Measured:
        """Measure outdated frames; verdicts are passed on, since `batches` compares all frames at once."""
        return measuring.measure(batch) if isinstance(batch, Outdated) else batch

    def save(self, result: list[Verdict] | Measured) -> int:
        """Write verdicts that differ from the rows; frames that a person decided on meanwhile stay as they are."""
        if isinstance(result, Measured):
            measured = measuring.save(result)
            self.ctx.count("measured again", measured)
            if unreadable := len(result.rows) - measured:
                self.ctx.log(f"{unreadable:,} stored pictures could not be read; their size decides.")
            return len(result.rows)
        verdicts = {verdict.frame_id: verdict for verdict in result}
        kept_ids = self._not_dropped({verdict.copy_of for verdict in result if verdict.copy_of is not None})
        rows = self._frames().filter(pk__in=list(verdicts), decided=False).select_for_update().order_by("pk")
        changed: list[Frame] = []
        for frame in rows.only("pk", "state", "reason", "duplicate_of_id", "distance"):
            verdict = verdicts[frame.pk]
            if verdict.copy_of is not None and verdict.copy_of not in kept_ids:
                continue  # its original is gone or was dropped by a person: the next run decides
            previous = (frame.state, frame.duplicate_of_id, frame.distance)
            if verdict.copy_of is None:
                frame.state, frame.reason = FrameState.KEPT, ""
            else:
                frame.state, frame.reason = FrameState.DROPPED, DropReason.DUPLICATE
            frame.duplicate_of_id, frame.distance = verdict.copy_of, verdict.distance
            if (frame.state, frame.duplicate_of_id, frame.distance) != previous:
                changed.append(frame)
                if frame.state != previous[0]:
                    self.ctx.count("duplicates" if frame.state == FrameState.DROPPED else "kept again")
        Frame.objects.bulk_update(changed, ["state", "reason", "duplicate_of", "distance"], batch_size=500)
        return len(result)

    def _not_dropped(self, keys: set[int]) -> set[int]:
        """The representatives that no person has dropped or deleted since they were read."""
        ids: set[int] = set()
        for part in _batched(sorted(keys)):
            rows = Frame.objects.filter(pk__in=part).exclude(state=FrameState.DROPPED, decided=True)
            ids.update(rows.values_list("pk", flat=True))
        return ids

    def finish(self) -> None:
        """Log frames that could not be compared, and what is left to other runs."""
        described = Frame.objects.filter(collection=self.ctx.collection, descriptor__isnull=False)
        if missing := described.exclude(descriptor_version=DESCRIPTOR_VERSION).count():
            self.ctx.log(f"{missing:,} frames were extracted by another version and not compared. Extract them again.")
        missing_file = self._frames().filter(state=FrameState.KEPT, file="", episode__source__kind=SourceKind.VIDEO)
        if elsewhere := missing_file.exclude(
            episode__in=self.ctx.run.stages.values("episode").exclude(episode=None)
        ).count():
            self.ctx.log(
                f"{elsewhere:,} frames of other episodes are kept again. A separate run writes their full pictures "
                "now; the next run over those episodes adds faces and tags."
            )

    def _frames(self) -> QuerySet[Frame]:
        """Kept frames and those dropped as copies; not black, faded or blended ones, nor those a person dropped."""
        takes_part = Q(state=FrameState.KEPT) | Q(state=FrameState.DROPPED, reason=DropReason.DUPLICATE, decided=False)
        return Frame.objects.filter(
            takes_part,
            collection=self.ctx.collection,
            descriptor__isnull=False,
            descriptor_version=DESCRIPTOR_VERSION,
        )

    def _read(self) -> _Candidates:
        ids, episodes, descriptors = array("q"), array("q"), bytearray()
        pinned, outdated = bytearray(), bytearray()
        qualities, shorter_sides, text_shares = array("f"), array("f"), array("f")
        copy_of: dict[int, int] = {}
        rows = self._frames().order_by("episode_id", "index")
        previews: list[str] = []
        columns = ("pk", "episode_id", "quality", "quality_version", "text_share", "width", "height", "decided")
        for (
            pk,
            episode,
            quality_value,
            version,
            share,
            width,
            height,
            decided,
            other,
            preview,
            descriptor,
        ) in rows.values_list(*columns, "duplicate_of_id", "preview", "descriptor").iterator(READ):
            if len(descriptor) != DESCRIPTOR_SIZE:
                continue
            if version != QUALITY_VERSION and other is not None:
                copy_of[len(ids)] = other
            ids.append(pk)
            episodes.append(episode)
            qualities.append(quality_value)
            shorter_sides.append(min(width, height))
            text_shares.append(math.nan if share is None else share)
            pinned.append(decided)
            outdated.append(version != QUALITY_VERSION)
            descriptors += descriptor
            if self.ctx.params.keep_poses:
                previews.append(preview)
        numbers = np.array(ids, dtype=np.int64)
        sides = np.array(shorter_sides, np.float32)
        value = _row_worth(
            numbers, np.array(qualities, np.float32), sides, np.array(text_shares, np.float32), outdated, copy_of
        )
        worked_on = np.isin(numbers, np.fromiter(self._worked_on(), dtype=np.int64))
        return _Candidates(
            numbers,
            np.array(episodes, dtype=np.int64),
            np.frombuffer(descriptors, dtype=np.uint8).reshape(-1, DESCRIPTOR_SIZE),
            preference(value, sides, worked_on=worked_on),
            np.frombuffer(pinned, dtype=np.bool_),
            value,
            worked_on,
            previews,
        )

    def _log_better_copies(self, candidates: _Candidates, groups: Groups) -> None:
        """Log how many kept frames have a better copy: people's work is never replaced automatically."""
        better = candidates.worth > candidates.worth[groups.representative] + BETTER_MIN
        held = better & (candidates.worked_on | candidates.pinned)[groups.representative]
        if number := len(np.unique(groups.representative[held])):
            self.ctx.log(
                f"{number:,} kept frames have a better copy but stay, since people worked on them. To use the copy, "
                "drop the kept frame and restore the copy."
            )

    def _worked_on(self) -> Iterator[int]:
        """Keys of frames that people have edited, for example by naming a face."""
        by_people = Revision.objects.filter(
            operation__collection=self.ctx.collection,
            operation__by__isnull=False,
            operation__undone_at__isnull=True,
            operation__undoes__isnull=True,
            frame_id__isnull=False,
        )
        for frame_id in by_people.order_by().values_list("frame_id", flat=True).distinct().iterator(READ):
            assert frame_id is not None
            yield frame_id

    def _groups(self, candidates: _Candidates) -> Groups:
        if self.ctx.params.across_episodes:
            return self._groups_of(candidates, np.arange(len(candidates.ids)))
        representative = np.arange(len(candidates.ids))
        distance = np.zeros(len(candidates.ids), dtype=np.float32)
        for episode in np.unique(candidates.episodes):
            rows = np.flatnonzero(candidates.episodes == episode)
            groups = self._groups_of(candidates, rows)
            representative[rows], distance[rows] = rows[groups.representative], groups.distance
        return Groups(representative, distance)

    def _groups_of(self, candidates: _Candidates, rows: NDArray[np.int64]) -> Groups:
        threshold = self.ctx.params.threshold
        described = candidates.descriptors[rows], candidates.preference[rows]
        if not self.ctx.params.keep_poses:
            return find_groups(*described, threshold, pinned=candidates.pinned[rows])
        films = Episode.objects.filter(collection=self.ctx.collection, source__kind=SourceKind.VIDEO)
        drawings = SmallPictures(
            [candidates.previews[row] for row in rows],
            np.isin(candidates.episodes[rows], np.fromiter(films.values_list("pk", flat=True), dtype=np.int64)),
            threshold,
            self.ctx.alive,
        )
        groups = find_pose_groups(*described, drawings.are_same, threshold, pinned=candidates.pinned[rows])
        self._pairs_compared += drawings.compared
        if drawings.unreadable:
            self.ctx.log(f"{len(drawings.unreadable):,} previews could not be read; the threshold alone decides there.")
        return groups


def _row_worth(
    ids: NDArray[np.int64],
    quality: NDArray[np.float32],
    side: NDArray[np.float32],
    text: NDArray[np.float32],
    outdated: bytearray,
    copy_of: dict[int, int],
) -> NDArray[np.float64]:
    """Octaves of detail per row, float64[N]; `copy_of` maps outdated rows to the frame they are a copy of."""
    value = worth(quality, side, text)
    is_outdated = np.frombuffer(outdated, dtype=np.bool_)
    if not is_outdated.any():
        return value
    row_by_key = {int(pk): row for row, pk in enumerate(ids)}
    copy_of_row = np.full(len(ids), -1, dtype=np.int64)
    for row, other in copy_of.items():
        if other in row_by_key and not is_outdated[row_by_key[other]]:
            copy_of_row[row] = row_by_key[other]
    return np.where(is_outdated, worth_unmeasured(quality, side, text, copy_of=copy_of_row, known_worth=value), value)


def _batched(keys: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]


def _verdict(ids: NDArray[np.int64], groups: Groups, row: int) -> Verdict:
    representative = int(groups.representative[row])
    if representative == row:
        return Verdict(int(ids[row]), None, None)
    return Verdict(int(ids[row]), int(ids[representative]), round(float(groups.distance[row]), 6))
