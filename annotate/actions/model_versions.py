"""Rows of model versions, found or created by what identifies a model exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.contract import ModelInfo
from annotate.models import ModelLabels, ModelVersion
from ingest.imaging.names import plain_text

REVISION_MAX = INFO_MAX = 100
NAME_MAX = 200  # of a tag, with its subject and the colon


def version_of(
    info: ModelInfo, *, revision: str = "", labels: Sequence[Label] = (), rules: Rules | None = None
) -> ModelVersion:
    """Return the row of a model; `revision` replaces the model's own where settings change its results.

    `labels` are stored with the row in the order of the model's outputs, with its `rules`, for unpacking its answers.
    The same weights with another list of labels are another version.
    """
    versioned = replace(info, revision=revision or info.revision)
    row = _row(versioned)
    if not labels:
        return row
    rows = [[label.name, label.category] for label in labels]
    rules_json = (rules or Rules()).as_json()
    stored, _ = ModelLabels.objects.get_or_create(model_version=row, defaults={"rows": rows, "rules": rules_json})
    if stored.rows != rows:
        digest = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:8]
        row = _row(replace(versioned, revision=f"{versioned.revision[: REVISION_MAX - 16]} labels {digest}".strip()))
        stored, _ = ModelLabels.objects.get_or_create(model_version=row, defaults={"rows": rows, "rules": rules_json})
    if rules is not None and stored.rules != rules_json:
        ModelLabels.objects.filter(pk=stored.pk).update(
            rules=rules_json
        )  # a newer Koma, or other thresholds in the model's folder
    return row


def known_version(*, task: str, name: str, revision: str, sha256: str) -> ModelVersion | None:
    """Return the row of a model that has answered before, without opening the model; None where it is ambiguous."""
    rows = list(ModelVersion.objects.filter(task=task, name=_name(name), sha256=sha256)[:2])
    return rows[0] if len(rows) == 1 and rows[0].revision == _revision(revision) else None


def labels_of(version: ModelVersion) -> tuple[Label, ...]:
    """The labels of a version in the order of its outputs; empty when it has none."""
    row = ModelLabels.objects.filter(model_version=version).first()
    return tuple(_label(label) for label in row.rows) if row and isinstance(row.rows, list) else ()


def rules_of(version: ModelVersion) -> Rules:
    """The model's own rules; empty ones, which accept no tag, when it has none."""
    row = ModelLabels.objects.filter(model_version=version).only("rules").first()
    try:
        return Rules.from_json(row.rules if row else {})
    except (TypeError, ValueError, AttributeError):  # from a hand-written backup
        return Rules()


def _label(stored: Any) -> Label:
    """Return a stored label; an empty one where a restored backup holds an invalid label."""
    if not isinstance(stored, list) or len(stored) != 2 or not all(isinstance(part, str) for part in stored):
        return Label("", "")
    name, category = stored
    good = name.isprintable() and category.isprintable() and len(name) + len(category) < NAME_MAX
    return Label(name, category) if good else Label("", "")


def _row(info: ModelInfo) -> ModelVersion:
    """Return the row of a model; free text of its description is cleaned and shortened."""
    row, _ = ModelVersion.objects.get_or_create(
        task=info.task,
        name=_name(info.name),
        revision=_revision(info.revision),
        sha256=info.sha256,
        defaults={"licence": plain_text(info.licence, bytes_max=INFO_MAX), "settings": info.settings},
    )
    return row


def _name(text: str) -> str:
    return plain_text(text, bytes_max=INFO_MAX)


def _revision(text: str) -> str:
    return plain_text(text, bytes_max=REVISION_MAX)
