"""Rows of the models that speak: found or made by what identifies a model exactly."""

from __future__ import annotations

from collections.abc import Sequence

from annotate.algorithms.tag_rules import Label
from annotate.backends.contract import ModelInfo
from annotate.models import ModelLabels, ModelVersion


def version_of(info: ModelInfo, *, revision: str = "", labels: Sequence[Label] = ()) -> ModelVersion:
    """The row of a model; `revision` instead of the model's own where settings change what it finds.

    With `labels` they are kept beside the row, in the order of the model's outputs, for reading its packed answers.
    """
    row, _ = ModelVersion.objects.get_or_create(
        task=info.task,
        name=info.name,
        revision=(revision or info.revision)[:100],
        sha256=info.sha256,
        defaults={"licence": info.licence, "settings": info.settings},
    )
    if labels:
        ModelLabels.objects.get_or_create(
            model_version=row, defaults={"rows": [[label.name, label.category] for label in labels]}
        )
    return row


def labels_of(version: ModelVersion) -> tuple[Label, ...]:
    """The labels of a version in the order of its outputs; empty when it has none."""
    row = ModelLabels.objects.filter(model_version=version).first()
    return tuple(Label(name, category) for name, category in row.rows) if row else ()
