"""What the boxes that models gave say of frames, as tags, read from their stored answers."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from annotate.actions.model_versions import labels_of
from annotate.algorithms import box_tags, packing
from annotate.algorithms.box_tags import Following
from annotate.chosen_models.choices import chosen_all
from annotate.chosen_models.tasks import tasks_with
from annotate.models import ModelAnswer, ModelVersion
from annotate.tagging import stored_scores
from ingest.models import Collection, Frame

TASKS = tasks_with(answers="boxes")


@dataclass(frozen=True, slots=True)
class BoxVersion:
    """A version whose answers are boxes."""

    version: ModelVersion
    names: tuple[str, ...]

    @property
    def measure(self) -> str:
        """The key in Frame.measures that says that the frame's tags follow from this version's answer too."""
        return f"tags_by_boxes_{self.version.pk}"

    def following(self, data: bytes) -> Following:
        """Tags that follow from stored bytes; ValueError when those are no boxes."""
        boxes, scores, labels = packing.unpack_boxes(data)
        if self.version.task == "text":
            return box_tags.of_text(boxes)
        return box_tags.counted(self.names, scores, labels)


def box_versions(collection: Collection) -> list[BoxVersion]:
    """The versions, of models that the collection uses for boxes and text, that have answered; the newest of each."""
    versions = []
    for task in TASKS:
        for name in chosen_all(collection, task):
            for version in ModelVersion.objects.filter(task=task, name=name).order_by("-pk"):
                if stored_scores.any_of(collection, version):
                    versions.append(BoxVersion(version, tuple(label.name for label in labels_of(version))))
                    break
    return versions


def unread(frames: QuerySet[Frame], box_version: BoxVersion) -> Q:
    """Those of the frames that the version has answered since their tags were written."""
    answers = ModelAnswer.objects.filter(model_version=box_version.version, frame=OuterRef("pk"))
    read = frames.filter(**{f"measures__{box_version.measure}": True})
    return Q(Exists(answers)) & ~Q(pk__in=read.values("pk"))
