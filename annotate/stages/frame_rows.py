"""Inputs of the stage Tag per frame: face boxes, people's tags, faces elsewhere in the shot."""

from __future__ import annotations

from annotate.algorithms.face_features import Box
from annotate.models import Face, FrameTag, TagState
from ingest.models import Frame


def faces_of(frames: list[Frame]) -> dict[int, list[Box]]:
    """Return the relative boxes of real faces by frame key, from left to right."""
    boxes: dict[int, list[Box]] = {}
    rows = Face.objects.real().filter(frame__in=frames).order_by("frame_id", "left", "pk")
    for frame, left, top, right, bottom in rows.values_list("frame_id", "left", "top", "right", "bottom"):
        boxes.setdefault(frame, []).append((left, top, right, bottom))
    return boxes


def labels_by_people(frames: list[Frame]) -> dict[int, set[str]]:
    """Return the names of tags given by people, by frame key."""
    labels: dict[int, set[str]] = {}
    rows = FrameTag.objects.filter(frame__in=frames, by_person=True, state=TagState.YES)
    for frame, name in rows.values_list("frame_id", "tag__name"):
        labels.setdefault(frame, set()).add(name)
    return labels


def people_near(frame: Frame) -> bool:
    """Return whether another frame of the shot shows faces, as annotated by the stage's query."""
    return frame.shot_id is not None and bool(getattr(frame, "people_in_shot", False))
