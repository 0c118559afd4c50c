"""Tags derived from the stored boxes of models."""

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
    """A model version whose answers are boxes."""

    version: ModelVersion
    names: tuple[str, ...]

    @property
    def measure(self) -> str:
        """The key in Frame.measures that marks a frame's tags as based on this version's answer."""
        return f"tags_by_boxes_{self.version.pk}"

    def following(self, data: bytes) -> Following:
        """Return the tags derived from stored bytes. Raises ValueError when those are not boxes."""
        boxes, scores, labels = packing.unpack_boxes(data)
        if self.version.task == "text":
            return box_tags.of_text(boxes)
        return box_tags.counted(self.names, scores, labels)


def box_versions(collection: Collection) -> list[BoxVersion]:
    """Return the newest version with answers of each model that the collection uses for boxes and text."""
    versions = []
    for task in TASKS:
        for name in chosen_all(collection, task):
            for version in ModelVersion.objects.filter(task=task, name=name).order_by("-pk"):
                if stored_scores.any_of(collection, version):
                    versions.append(BoxVersion(version, tuple(label.name for label in labels_of(version))))
                    break
    return versions


def unread(frames: QuerySet[Frame], box_version: BoxVersion) -> Q:
    """Select frames that the version has answered since their tags were written."""
    answers = ModelAnswer.objects.filter(model_version=box_version.version, frame=OuterRef("pk"))
    read = frames.filter(**{f"measures__{box_version.measure}": True})
    return Q(Exists(answers)) & ~Q(pk__in=read.values("pk"))
