"""Raw model scores per frame, packed in rows: stored once, re-read for every new threshold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Exists, OuterRef, QuerySet
from numpy.typing import NDArray

from annotate.actions.model_versions import labels_of, rules_of, version_of
from annotate.algorithms import packing
from annotate.algorithms.tag_rules import AcceptedTags, Label, Rules
from annotate.backends.contract import ModelInfo
from annotate.chosen_models.tasks import tasks_with
from annotate.models import ModelAnswer, ModelVersion
from ingest.models import Collection, Frame

BATCH = 500
TOGETHER = 32  # pictures packed at once: some hundred kB of scores
CLASSES_MAX = 64  # up to this length all scores are stored, with 2 bytes each
SCORED = tasks_with(answers="scores")

Scores = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ScoredVersion:
    """A model version whose answers are scores, with its labels and current acceptance rules."""

    version: ModelVersion
    accepted_tags: AcceptedTags

    def pack(self, scores: Scores) -> bytes:
        """Pack scores [labels] into bytes; of long lists, scores below the floor are dropped."""
        return self.pack_all([scores])[0]

    def pack_all(self, scores: Sequence[Scores]) -> list[bytes]:
        """Pack the scores of many pictures at once, in a fraction of the time of `pack`."""
        packed: list[bytes] = []
        for start in range(0, len(scores), TOGETHER):
            batch = np.stack(scores[start : start + TOGETHER])
            if batch.shape[1] <= CLASSES_MAX:
                packed += [packing.pack_classes(row) for row in batch]
            else:
                is_above_floor = self.accepted_tags.above_floor(batch, floor=packing.FLOOR)
                packed += packing.pack_chosen(batch, is_above_floor & (batch >= 0.5 / packing.STEPS))
        return packed

    def unpack(self, data: bytes) -> Scores:
        """Unpack scores [labels], in steps of 1/65535. Raises ValueError when the bytes are not this version's."""
        if data[:1] == bytes([packing.CLASSES]):
            scores = packing.unpack_classes(data)
            if len(scores) != len(self.accepted_tags.labels):
                raise ValueError(f"{len(scores)} scores are stored for {len(self.accepted_tags.labels)} labels")
            return scores
        return packing.unpack_scores(data, len(self.accepted_tags.labels))

    def following(self, data: bytes) -> list[tuple[Label, float]]:
        """Return the labels that the rules accept from stored bytes."""
        return self.accepted_tags.accepted(self.unpack(data))

    def with_rules(self, rules: Rules) -> ScoredVersion:
        """Return the same version with other rules."""
        return ScoredVersion(self.version, AcceptedTags(self.accepted_tags.labels, rules))


def scored_version_of(info: ModelInfo, labels: Sequence[Label], rules: Rules) -> ScoredVersion:
    """Return the scored version of an opened or described scorer; create its version row if missing."""
    return ScoredVersion(version_of(info, labels=labels, rules=rules), AcceptedTags(labels, rules))


def stored_version(version: ModelVersion) -> ScoredVersion:
    """Return the scored version of a version with answers, whether or not its model is still installed."""
    return ScoredVersion(version, AcceptedTags(labels_of(version), rules_of(version)))


def save(version: ModelVersion, data: Mapping[int, bytes]) -> None:
    """Store answers by frame key, replacing older ones of the same version. Call it in a transaction."""
    rows = [ModelAnswer(model_version=version, frame_id=frame, data=packed) for frame, packed in sorted(data.items())]
    ModelAnswer.objects.bulk_create(
        rows, batch_size=BATCH, update_conflicts=True, unique_fields=["model_version", "frame"], update_fields=["data"]
    )


def load(versions: Iterable[ModelVersion], frames: Iterable[int]) -> dict[int, dict[int, bytes]]:
    """Return answers by version key, then frame key. One query; the caller bounds the number of frames."""
    keys = [version.pk for version in versions]
    answers: dict[int, dict[int, bytes]] = {key: {} for key in keys}
    rows = ModelAnswer.objects.filter(model_version__in=keys, frame__in=list(frames))
    for version, frame, data in rows.values_list("model_version_id", "frame_id", "data"):
        answers[version][frame] = bytes(data)
    return answers


def missing(frames: QuerySet[Frame], version: ModelVersion) -> QuerySet[Frame]:
    """Select the frames that a version has not answered."""
    return frames.filter(~Exists(ModelAnswer.objects.filter(model_version=version, frame=OuterRef("pk"))))


def any_of(collection: Collection, version: ModelVersion) -> bool:
    """Return whether a version has an answer for any frame of a collection."""
    return ModelAnswer.objects.filter(model_version=version, frame__collection=collection).exists()
