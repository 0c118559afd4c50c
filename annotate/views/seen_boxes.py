"""What models saw in one frame, besides faces: their boxes for the overlay on the frame page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from annotate.algorithms import packing
from annotate.algorithms.box_tags import plural
from annotate.models import ModelAnswer, ModelLabels
from annotate.tagging.from_boxes import TASKS
from ingest.models import Frame

GROUPS_MAX = 8  # colours of the overlay
BOXES_MAX = 100


@dataclass(frozen=True, slots=True)
class SeenBox:
    """Percent of the picture."""

    left: float
    top: float
    width: float
    height: float
    score: float


@dataclass(frozen=True, slots=True)
class SeenGroup:
    """The boxes of one kind that one model saw, best first; `number` is its colour."""

    number: int
    name: str  # "person"
    names: str  # "persons"
    model: str
    boxes: list[SeenBox]


def seen_in(frame: Frame) -> list[SeenGroup]:
    """Groups in order of model and kind, at most GROUPS_MAX; of a model's versions the newest. Two queries."""
    rows: dict[str, ModelAnswer] = {}
    answers = ModelAnswer.objects.filter(frame=frame, model_version__task__in=TASKS).select_related("model_version")
    for row in answers.order_by("model_version_id"):
        rows[row.model_version.name] = row
    if not rows:
        return []
    named = ModelLabels.objects.filter(model_version__in=[row.model_version_id for row in rows.values()])
    labels = {
        version: [str(name) for name, _ in label_rows]
        for version, label_rows in named.values_list("model_version", "rows")
    }
    groups: list[SeenGroup] = []
    for name, row in sorted(rows.items()):
        for kind, boxes in _kinds(bytes(row.data), labels.get(row.model_version_id, [])):
            groups.append(SeenGroup(len(groups), kind, plural(kind).replace("_", " "), name, boxes))
    return groups[:GROUPS_MAX]


def _kinds(data: bytes, names: list[str]) -> Iterator[tuple[str, list[SeenBox]]]:
    """(kind, boxes) for each kind of which there is one; nothing for bytes that are no boxes."""
    try:
        boxes, scores, labels = packing.unpack_boxes(data)
    except ValueError:
        return
    for label in sorted(set(labels.tolist())):
        rows = [row for row in scores.argsort()[::-1].tolist() if labels[row] == label][:BOXES_MAX]
        kind = names[label] if label < len(names) else f"kind {label}"
        yield kind, [_placed(boxes[row].tolist(), float(scores[row])) for row in rows]


def _placed(box: list[float], score: float) -> SeenBox:
    left, top, right, bottom = (round(100 * side, 3) for side in box)
    return SeenBox(left, top, round(right - left, 3), round(bottom - top, 3), score)
