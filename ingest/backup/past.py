"""The history in a backup: each revision gets the keys of the new rows and is checked as rows are, or is left out.

An undo writes what a revision says, so a revision is as hostile as a row.
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

Key = Callable[[str, Any], Any]  # label of a model, old key -> new key, or one that no row has


def adapt(row: Revision, *, key: Key, files: Container[str]) -> bool:
    """Give the revision its new keys; False where undo must not write what it says (see `ingest.undoable`).

    `files` are the members `store/NAME` that came along. Raises BadInput for a model that no collection has.
    """
    model = next((m for m in graph.owned() if m._meta.label == row.model), None)
    if model is None:
        raise BadInput(
            f"The backup is damaged: its history speaks of {plain_text(row.model)}, which no collection has."
        )
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
    """The values with new keys. Raises ValueError, TypeError or LookupError for what no row could hold."""
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
    needed = {field.attname for field in graph.plain_fields(model) if not field.blank}
    for owner, name in stored_files.file_fields():
        if owner is model and result.get(name) and f"store/{result[name]}" not in files:
            if name in needed:
                raise ValueError(f"{name}: the file did not come along")
            result[name] = ""  # made anew where it is wanted
    graph.check(row_from(model, result), names=result)
    return result
