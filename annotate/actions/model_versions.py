"""Rows of the models that speak: found or made by what identifies a model exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.contract import ModelInfo
from annotate.models import ModelLabels, ModelVersion

REVISION_MAX = 100


def version_of(
    info: ModelInfo, *, revision: str = "", labels: Sequence[Label] = (), rules: Rules | None = None
) -> ModelVersion:
    """The row of a model; `revision` instead of the model's own where settings change what it finds.

    With `labels` they are kept beside the row, in the order of the model's outputs, with its own `rules`, for reading
    its packed answers. Weights beside another list of labels are another version.
    """
    told = replace(info, revision=revision or info.revision)
    row = _row(told)
    if not labels:
        return row
    rows = [[label.name, label.category] for label in labels]
    own = (rules or Rules()).as_json()
    stored, _ = ModelLabels.objects.get_or_create(model_version=row, defaults={"rows": rows, "rules": own})
    if stored.rows != rows:
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:8]
        row = _row(replace(told, revision=f"{told.revision[: REVISION_MAX - 16]} labels {digest}".strip()))
        stored, _ = ModelLabels.objects.get_or_create(model_version=row, defaults={"rows": rows, "rules": own})
    if rules is not None and stored.rules != own:
        ModelLabels.objects.filter(pk=stored.pk).update(rules=own)  # a newer Koma, or other thresholds beside the model
    return row


def labels_of(version: ModelVersion) -> tuple[Label, ...]:
    """The labels of a version in the order of its outputs; empty when it has none."""
    row = ModelLabels.objects.filter(model_version=version).first()
    return tuple(Label(name, category) for name, category in row.rows) if row else ()


def rules_of(version: ModelVersion) -> Rules:
    """The model's own rules; empty ones, from which nothing follows, when it has none."""
    row = ModelLabels.objects.filter(model_version=version).only("rules").first()
    return Rules.from_json(row.rules if row else {})


def _row(info: ModelInfo) -> ModelVersion:
    row, _ = ModelVersion.objects.get_or_create(
        task=info.task,
        name=info.name,
        revision=info.revision[:REVISION_MAX],
        sha256=info.sha256,
        defaults={"licence": info.licence, "settings": info.settings},
    )
    return row
