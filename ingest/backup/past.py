"""Restores the history in a backup: each revision gets the new keys and is checked like a row, or is skipped.

An undo writes the values of a revision, so a revision is as untrusted as a row.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any

from ingest import undoable
from ingest.actions.row_values import row_from
from ingest.backup import graph
from ingest.errors import BadInput
from ingest.history_rules import json_keys
from ingest.imaging.names import plain_text
from ingest.models import Revision
from ingest.storage import stored_files

Key = Callable[[str, Any], Any]  # label of a model, old key -> new key, or an unused one


def adapt(row: Revision, *, key: Key, files: Container[str]) -> bool:
    """Set the new keys of a revision; False if undo must not write its values (see `ingest.undoable`).

    `files` are the members `store/NAME` of the backup. Raises BadInput for a model that is not part of a collection.
    """
    model = next((m for m in graph.owned() if m._meta.label == row.model), None)
    if model is None:
        raise BadInput(f"The backup is damaged: its history contains the unknown model {plain_text(row.model)}.")
    for values in (row.before, row.after):
        if values is not None and not isinstance(values, dict):
            return False
    if undoable.refusal(row.model, row.before, row.after):
        return False
    row.object_id = key(row.model, row.object_id)
    row.frame_id = key("ingest.Frame", row.frame_id)
    try:
        row.before = _adapted(model, row.before, key, files)
        row.after = _adapted(model, row.after, key, files)
    except (ValueError, TypeError, LookupError, OverflowError):
        return False
    return True


def _adapted(
    model: graph.Model, values: dict[str, Any] | None, key: Key, files: Container[str]
) -> dict[str, Any] | None:
    """The values with new keys. Raises ValueError, TypeError or LookupError for invalid values."""
    if values is None:
        return None
    result = dict(values)
    targets = {field.attname: field.related_model._meta.label for field in graph.foreign_keys(model)}
    targets[model._meta.pk.attname] = model._meta.label
    for name, target in targets.items():
        if name in result:
            result[name] = key(target, result[name])
    for (of, name), target in json_keys().items():
        if of == model._meta.label and isinstance(result.get(name), list):
            result[name] = [key(target, old) for old in result[name]]
    needed = {field.attname for field in graph.value_fields(model) if not field.blank}
    for owner, name in stored_files.file_fields():
        if owner is model and result.get(name) and f"store/{result[name]}" not in files:
            if name in needed:
                raise ValueError(f"{name}: the file is not in the backup")
            result[name] = ""  # created again on demand
    graph.check(row_from(model, result), names=result)
    return result
