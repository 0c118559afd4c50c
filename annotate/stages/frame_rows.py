"""Plain values about frames that the stage Tag reads: their faces' boxes, people's tags, people in their shots."""

from __future__ import annotations

from annotate.algorithms.face_features import Box
from annotate.models import Face, FrameTag, TagState
from ingest.models import Frame


def faces_of(frames: list[Frame]) -> dict[int, list[Box]]:
    """Relative boxes of the real faces of frames, by frame key, from left to right."""
    boxes: dict[int, list[Box]] = {}
    rows = Face.objects.real().filter(frame__in=frames).order_by("frame_id", "left", "pk")
    for frame, left, top, right, bottom in rows.values_list("frame_id", "left", "top", "right", "bottom"):
        boxes.setdefault(frame, []).append((left, top, right, bottom))
    return boxes


def labels_by_people(frames: list[Frame]) -> dict[int, set[str]]:
    """Names of the tags that people gave, by frame key."""
    labels: dict[int, set[str]] = {}
    rows = FrameTag.objects.filter(frame__in=frames, by_person=True, state=TagState.YES)
    for frame, name in rows.values_list("frame_id", "tag__name"):
        labels.setdefault(frame, set()).add(name)
    return labels


def people_near(frame: Frame) -> bool:
    """Whether a frame of the same shot shows faces; the stage's query tells."""
    return frame.shot_id is not None and bool(getattr(frame, "people_in_shot", False))
