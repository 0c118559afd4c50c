"""Stages that had another name in an older release, and their rows: for the migration and for restored backups."""

from __future__ import annotations

from typing import Any

RENAMED = {"look": "run_models"}


def rename_stages(apps: Any, renamed: dict[str, str], *, collection: int | None = None) -> None:
    """Give rows of stages and the JSON that is keyed by them their new names; of one collection, or of all.

    `apps` has `get_model`: a migration's state of then, or the registry of now. What has its new name already stays.
    """
    of = {} if collection is None else {"collection": collection}
    stage_runs = apps.get_model("ingest", "StageRun").objects
    stage_runs = stage_runs.all() if collection is None else stage_runs.filter(run__collection=collection)
    for old, new in renamed.items():
        stage_runs.filter(stage=old).update(stage=new)
    for row in apps.get_model("ingest", "PipelineRun").objects.filter(**of).iterator(500):
        _rename_keys(row, ("params", "tallies"), renamed)
    pk = {} if collection is None else {"pk": collection}
    for row in apps.get_model("ingest", "Collection").objects.filter(**pk).iterator(500):
        _rename_keys(row, ("run_defaults",), renamed)
    # An undo writes what a revision holds.
    of = {} if collection is None else {"operation__collection": collection}
    for row in apps.get_model("ingest", "Revision").objects.filter(model="ingest.Collection", **of).iterator(500):
        before, after = _of_revision(row.before, renamed), _of_revision(row.after, renamed)
        if (before, after) != (row.before, row.after):
            row.before, row.after = before, after
            row.save(update_fields=["before", "after"])


def _rename_keys(row: Any, names: tuple[str, ...], renamed: dict[str, str]) -> None:
    changed = {name: keys for name in names if (keys := _renamed(getattr(row, name), renamed)) != getattr(row, name)}
    if changed:
        type(row).objects.filter(pk=row.pk).update(**changed)


def _of_revision(values: Any, renamed: dict[str, str]) -> Any:
    if not isinstance(values, dict) or "run_defaults" not in values:
        return values
    return values | {"run_defaults": _renamed(values["run_defaults"], renamed)}


def _renamed(values: Any, renamed: dict[str, str]) -> Any:
    """A JSON object with its keys renamed, in the same order; anything else as it is."""
    if not isinstance(values, dict):
        return values
    return {
        renamed.get(key, key): value
        for key, value in values.items()
        if renamed.get(key, key) == key or renamed[key] not in values
    }
