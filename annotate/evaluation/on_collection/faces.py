"""Evaluation of a face detector on frames whose faces people have completely reviewed.

A frame with some labels by people may be incomplete: names are given to groups of crops, without opening the frame, and
a face that no model detected has no crop. A frame is complete where a person marked it so, or where a person drew or
moved a box (which is done in the frame itself) and every other box there has a label by a person too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotate.backends.contract import FaceDetector
from annotate.evaluation.faces import FaceScores, LabelledPicture, score
from annotate.evaluation.on_collection.progress import Progress
from annotate.models import CheckedFrame, Face, NamedBy
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.models import Collection, Frame
from ingest.storage.stored_files import store

FRAMES_MAX = 1000  # of the complete ones, evenly spaced
CHUNK = 200
NOTHING = (
    "No frames with all faces reviewed yet. Open some frames, correct their boxes and press “All faces reviewed” on "
    "each."
)
# Drawn, moved or reviewed by a person, not only named.
VOUCHED = Q(box_by_person=True) | Q(drawn_by__isnull=False)


@dataclass(frozen=True, slots=True)
class Complete:
    """The amount of ground truth: frames whose faces are complete, marked so or labelled box by box.

    Of their faces `drawn` were drawn by people; `found_by` counts the others by the model that detected them first.
    """

    checked: int
    settled: int
    faces: int
    drawn: int
    found_by: tuple[tuple[str, int], ...]

    @property
    def frames(self) -> int:
        """The number of complete frames."""
        return self.checked + self.settled

    def how(self) -> str:
        """Why the frames are complete, without empty parts; empty without frames."""
        parts = [f"in {self.checked:,} a person marked all faces as reviewed"] if self.checked else []
        if self.settled:
            parts.append(f"in {self.settled:,} people drew or moved a box and reviewed every other")
        return ", ".join(parts)

    def whence(self) -> str:
        """Where their faces come from, without empty parts."""
        parts = [f"{self.drawn:,} drawn by people"] if self.drawn else []
        return ", ".join(parts + [f"{count:,} first found by {name}" for name, count in self.found_by])

    def words(self) -> list[str]:
        """A description of the ground truth, for the notes."""
        count = "1 frame" if self.frames == 1 else f"{self.frames:,} frames"
        held = "1 face" if self.faces == 1 else f"{self.faces:,} faces"
        origin = f" ({self.whence()})" if self.faces else ""
        they = "It holds" if self.frames == 1 else "They hold"
        return [
            f"{count} with all faces reviewed: {self.how()}.",
            f"{they} {held}{origin}. Boxes that a detector found itself favour it; frames that people "
            "corrected count against it.",
        ]


def complete(collection: Collection) -> Complete:
    """Return the amount of ground truth, by two queries that fetch a few rows."""
    frames = _complete(collection)
    counts = frames.aggregate(checked=Count("pk", filter=Q(said_so=True)), settled=Count("pk", filter=Q(said_so=False)))
    faces = _true_faces(collection).filter(frame__in=frames.values("pk")).order_by()
    by = dict(faces.values_list("model_version__name").annotate(n=Count("pk")))
    total, drawn = sum(by.values()), by.pop(None, 0)
    reviewers = tuple(sorted(by.items(), key=lambda item: (-item[1], item[0])))
    return Complete(counts["checked"], counts["settled"], total, drawn, reviewers)


def complete_frames(collection: Collection) -> tuple[int, ...]:
    """Keys of the complete frames, in order."""
    return tuple(_complete(collection).order_by("pk").values_list("pk", flat=True))


def _complete(collection: Collection) -> QuerySet[Frame]:
    """The complete frames; `said_so`: those marked by a person."""
    faces = Face.objects.real().filter(frame=OuterRef("pk")).order_by()
    waiting = faces.exclude(VOUCHED).exclude(named_by=NamedBy.PERSON).filter(is_reference=False)
    rows = Frame.objects.with_picture().filter(collection=collection)
    rows = rows.annotate(said_so=Exists(CheckedFrame.objects.filter(frame=OuterRef("pk"))))
    return rows.filter(Q(said_so=True) | (Exists(faces.filter(VOUCHED)) & ~Exists(waiting)))


def _true_faces(collection: Collection) -> QuerySet[Face]:
    """Boxes confirmed by people; boxes that runs added later are not part of the ground truth."""
    return Face.objects.real().filter(VOUCHED | Q(named_by=NamedBy.PERSON), collection=collection)


def measure(collection: Collection, detector: FaceDetector, progress: Progress) -> FaceScores:
    """Run the detector on the complete frames, on an even sample of more than FRAMES_MAX; see `evaluation.faces`.

    Raises BadInput without complete frames.
    """
    keys = complete_frames(collection)
    if not keys:
        raise BadInput(NOTHING)
    places = np.linspace(0, len(keys) - 1, min(FRAMES_MAX, len(keys))).round().astype(int)
    picked = [keys[place] for place in places]
    remarks = complete(collection).words()
    if len(picked) < len(keys):
        remarks.append(f"Measured on a sample of {len(picked):,} of them.")
    progress.expect(len(picked))
    scores = score(_labelled_pictures(collection, picked, progress, remarks), detector, remarks=remarks)
    if not scores.pictures:
        raise BadInput(f"None of the {len(picked):,} frames could be read. {remarks[-1]}")
    return scores


def _labelled_pictures(
    collection: Collection, picked: list[int], progress: Progress, remarks: list[str]
) -> Iterator[LabelledPicture]:
    for start in range(0, len(picked), CHUNK):
        part = picked[start : start + CHUNK]
        frames = Frame.objects.filter(collection=collection, pk__in=part).select_related("episode").order_by("pk")
        boxes: dict[int, list[tuple[float, ...]]] = {}
        for frame, *box in _true_faces(collection).filter(frame__in=part).values_list(
            "frame_id", "left", "top", "right", "bottom"
        ):  # fmt: skip
            boxes.setdefault(frame, []).append(tuple(box))
        for row in frames:
            progress.step()
            name = f"{row.episode.label}, frame {row.index}"
            try:
                picture = read_picture(store().read(row.file), name=name).rgb
            except (OSError, UnreadablePicture) as error:
                remarks.append(f"{name} was left out: its picture cannot be read: {error}")
                continue
            height, width = picture.shape[:2]
            sides = np.array([width, height, width, height], np.float32)
            yield LabelledPicture(
                name, picture, np.array(boxes.get(row.pk, []), np.float32).reshape(-1, 4) * sides, row.pk
            )
