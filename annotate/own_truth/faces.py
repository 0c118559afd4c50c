"""Measures a face detector on the frames of a collection whose faces people have settled.

Not every frame with a person's word is such: names are given to groups of crops, without a look at the frame, and a
face that no model found has no crop. A frame is complete truth where a person said so, or where a person drew or moved
a box (which is done in the frame itself) and every other box there carries a person's word too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from django.conf import settings
from django.db.models import Count, Q, QuerySet

from annotate.backends.contract import FaceDetector
from annotate.evaluation.faces import Asked, FaceScores, score
from annotate.models import CheckedFrame, Face, NamedBy
from annotate.own_truth.progress import Progress
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store
from ingest.models import Collection, Frame

FRAMES_MAX = 1000  # measured of all complete ones, evenly
CHUNK = 200
# A person vouches for the box itself, not only for who it shows.
VOUCHED = Q(box_by_person=True) | Q(drawn_by__isnull=False)


@dataclass(frozen=True, slots=True)
class Complete:
    """Frames (keys, in order) whose faces are complete: said so by people, or settled box by box.

    Of their faces `drawn` were drawn by people; `found_by` counts the others by the model that found them first.
    """

    frames: tuple[int, ...]
    checked: int
    settled: int
    faces: int
    drawn: int
    found_by: tuple[tuple[str, int], ...]

    def words(self) -> list[str]:
        """What the truth is, for the page and the notes."""
        models = "".join(f", {count:,} first found by {name}" for name, count in self.found_by)
        origin = f"{self.drawn:,} of them drawn by people{models}"
        return [
            f"{len(self.frames):,} frames count as complete truth: in {self.checked:,} a person said that all faces "
            f"are marked, in {self.settled:,} people drew or moved a box and had a word on every other.",
            f"They hold {self.faces:,} faces, {origin}. A detector is favoured by boxes that it found itself; frames "
            "that people corrected are those where one was wrong.",
        ]


def complete(collection: Collection) -> Complete:
    """Which frames count, by a few queries."""
    frames = Frame.objects.kept().filter(collection=collection).exclude(file="")
    said = CheckedFrame.objects.filter(frame__in=frames)
    checked = set(said.values_list("frame_id", flat=True))
    settled = _settled(collection, frames) - checked
    faces = _true_faces(collection)
    drawn, total, found = 0, 0, dict[str, int]()
    keys = sorted(checked | settled)
    for start in range(0, len(keys), CHUNK):
        rows = faces.filter(frame__in=keys[start : start + CHUNK]).order_by()
        for model, count in rows.values_list("model_version__name").annotate(n=Count("pk")):
            total += count
            drawn += count if model is None else 0
            if model is not None:
                found[model] = found.get(model, 0) + count
    by = tuple(sorted(found.items(), key=lambda item: (-item[1], item[0])))
    return Complete(tuple(keys), len(checked), len(settled), total, drawn, by)


def _true_faces(collection: Collection) -> QuerySet[Face]:
    """Boxes that people stand for; what a run found since is no part of it."""
    return Face.objects.real().filter(VOUCHED | Q(named_by=NamedBy.PERSON), collection=collection)


def _settled(collection: Collection, frames: QuerySet[Frame]) -> set[int]:
    faces = Face.objects.real().filter(collection=collection, frame__in=frames.values("pk"))
    touched = set(faces.filter(VOUCHED).values_list("frame_id", flat=True))
    if not touched:
        return touched
    waiting = faces.exclude(VOUCHED).exclude(named_by=NamedBy.PERSON).filter(is_reference=False)
    return touched - set(waiting.values_list("frame_id", flat=True))


def measure(collection: Collection, detector: FaceDetector, progress: Progress) -> FaceScores:
    """Runs the detector on the complete frames, of more than FRAMES_MAX on an even sample; see `evaluation.faces`.

    Raises BadInput where no frame is complete truth.
    """
    truth = complete(collection)
    if not truth.frames:
        raise BadInput(
            "No frame counts as complete truth yet. Open some frames, correct their boxes, and press “All faces are "
            "marked” on each."
        )
    places = np.linspace(0, len(truth.frames) - 1, min(FRAMES_MAX, len(truth.frames))).round().astype(int)
    picked = [truth.frames[place] for place in places]
    told = truth.words()
    if len(picked) < len(truth.frames):
        told.append(f"Measured on an even sample of {len(picked):,} of them.")
    progress.expect(len(picked))
    scores = score(_asked(collection, picked, progress, told), detector, told=told)
    if not scores.pictures:
        raise BadInput(f"None of the {len(picked):,} frames could be read. {told[-1]}")
    return scores


def _asked(collection: Collection, picked: list[int], progress: Progress, told: list[str]) -> Iterator[Asked]:
    store = Store(settings.KOMA_DATA_DIR / "store", reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
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
                picture = read_picture(store.read(row.file), name=name).rgb
            except (OSError, UnreadablePicture) as error:
                told.append(f"{name} was left out: its picture cannot be read: {error}")
                continue
            height, width = picture.shape[:2]
            sides = np.array([width, height, width, height], np.float32)
            yield Asked(name, picture, np.array(boxes.get(row.pk, []), np.float32).reshape(-1, 4) * sides, row.pk)
