"""Restores the rows of a backup: each is checked, gets a new key, and its references follow."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from ingest import outside_json
from ingest.backup import graph, past
from ingest.backup.opening import LINE_BYTES_MAX
from ingest.errors import BadInput
from ingest.history_rules import json_keys
from ingest.imaging.archive import Member, ZipReader
from ingest.models import Revision
from ingest.storage import stored_files

BATCH = 500


@dataclass(slots=True)
class RestoreState:
    """Progress of a restore: the open backup and new keys by model label and old key."""

    reader: ZipReader
    members: dict[str, Member]
    manifest: dict[str, Any]
    new_keys: dict[str, dict[int, int]]
    salt: str
    trust_paths: bool
    left_out: int = 0  # revisions that undo must not write

    def key(self, label: str, old_key: Any) -> int:
        """The new key of a row; BadInput for one that is not in the backup."""
        try:
            return self.new_keys[label][old_key]
        except (KeyError, TypeError):
            raise BadInput(f"The backup is damaged: a row refers to {label} {old_key!r}, which is missing.") from None

    def key_or_ghost(self, label: str, old_key: Any) -> Any:
        """As `key`; for deleted rows that only the history knows, a negative key that no row has."""
        new_key = self.new_keys.get(label, {}).get(old_key) if isinstance(old_key, int) else None
        if new_key is not None or not isinstance(old_key, int):
            return new_key
        return -(int.from_bytes(hashlib.sha256(f"{self.salt}{label}{old_key}".encode()).digest()[:6], "big") + 1)


def restore_rows(state: RestoreState) -> int:
    """Create all rows of the backup with new keys; returns their number. Raises BadInput."""
    tables = graph.owned()
    count = 0
    shared = graph.shared(tables)
    for model, natural_key in shared.items():
        count += _shared_rows(state, model, natural_key)
    for model, key in graph.attached(shared).items():
        count += _attached_rows(state, model, key)
    for model in tables:
        count += _owned_rows(state, model)
    return count


def _lines(state: RestoreState, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
    member = state.members.get(f"rows/{label}.jsonl")
    if member is None:
        return
    with state.reader.open(member) as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX):
            number += 1
            try:
                row = outside_json.parsed(line)
                old_key = row["id"]
            except (ValueError, KeyError, TypeError):
                raise BadInput(f"The backup is damaged: {label}, line {number} cannot be read.") from None
            if not isinstance(old_key, int) or old_key in state.new_keys.setdefault(label, {}):
                raise BadInput(f"The backup is damaged: {label}, line {number} has no unique key.")
            yield old_key, row


def _shared_rows(state: RestoreState, model: graph.Model, natural_key: tuple[str, ...]) -> int:
    """Map people, tags and model versions to existing rows by natural key; create missing ones (people: inactive)."""
    label = model._meta.label
    keys = state.new_keys.setdefault(label, {})
    fields = {field.name: field for field in graph.value_fields(model)}
    for old_key, row in _lines(state, label):
        values = {name: graph.from_json(field, row[name]) for name, field in fields.items() if name in row}
        for name in getattr(model, "NOT_FROM_BACKUP", ()):
            values.pop(name, None)
        if model is get_user_model():
            values = {natural_key[0]: str(row[natural_key[0]])[:150], "is_active": False, "password": "!"}
        lookup = {name: values[name] for name in natural_key}
        existing = model._default_manager.filter(**lookup).first()
        if existing is None:
            existing = model(**values)
            graph.check(existing)
            existing.save(force_insert=True)
        keys[old_key] = existing.pk
    return len(keys)


def _attached_rows(state: RestoreState, model: graph.Model, key: models.OneToOneField[Any, Any]) -> int:
    """Create rows attached to shared rows where this server has none."""
    fields = {field.name: field for field in graph.value_fields(model)}
    count = 0
    for _, row in _lines(state, model._meta.label):
        target = state.key(key.related_model._meta.label, row.get(key.attname))
        if model._default_manager.filter(**{key.attname: target}).exists():
            continue
        values = {name: graph.from_json(field, row[name]) for name, field in fields.items() if name in row}
        created = model(**values, **{key.attname: target})
        graph.check(created)
        created.save(force_insert=True)
        count += 1
    return count


def _owned_rows(state: RestoreState, model: graph.Model) -> int:
    label = model._meta.label
    keys = state.new_keys.setdefault(label, {})
    value_fields, foreign_keys = graph.value_fields(model), graph.foreign_keys(model)
    self_references: list[tuple[int, str, int]] = []
    batch: list[tuple[int, models.Model]] = []

    def flush() -> None:
        created = model._default_manager.bulk_create([row for _, row in batch])
        keys.update({old: row.pk for (old, _), row in zip(batch, created, strict=True)})
        batch.clear()

    seen: set[int] = set()
    for old_key, row in _lines(state, label):
        if old_key in seen:
            raise BadInput(f"The backup is damaged: {label} {old_key} is in it twice.")
        seen.add(old_key)
        created = model(**{f.attname: graph.from_json(f, row[f.attname]) for f in value_fields if f.attname in row})
        for key in foreign_keys:
            value = row.get(key.attname)
            if value is None:
                continue
            if key.related_model is model:
                self_references.append((old_key, key.attname, value))
            else:
                setattr(created, key.attname, state.key(key.related_model._meta.label, value))
        _map_other_keys(state, label, created)
        graph.check(created)
        if isinstance(created, Revision) and not past.adapt(
            created, key=state.key_or_ghost, files=state.manifest["files"]
        ):
            state.left_out += 1
            continue
        batch.append((old_key, created))
        if len(batch) >= BATCH:
            flush()
    flush()
    for old_key, attname, target in self_references:
        model._default_manager.filter(pk=keys[old_key]).update(**{attname: state.key(label, target)})
    return len(keys)


def _map_other_keys(state: RestoreState, label: str, row: models.Model) -> None:
    """Map keys in JSON fields, and clear names of stored files that are not in the backup."""
    for (model, name), target in json_keys().items():
        if model == label:
            setattr(row, name, [state.key_or_ghost(target, old) for old in getattr(row, name)])
    for owner, name in stored_files.file_fields():
        if isinstance(row, owner) and f"store/{getattr(row, name)}" not in state.manifest["files"]:
            setattr(row, name, "")


@contextmanager
def timestamps_from_backup() -> Iterator[None]:
    """Keep the times in the backup in fields with `auto_now`. Only for commands, since it changes the models."""
    fields = [
        field
        for model in graph.owned()
        for field in model._meta.concrete_fields
        if isinstance(field, models.DateTimeField) and (field.auto_now or field.auto_now_add)
    ]
    before = [(field, field.auto_now, field.auto_now_add) for field in fields]
    try:
        for field in fields:
            field.auto_now = field.auto_now_add = False
        yield
    finally:
        for field, auto_now, auto_now_add in before:
            field.auto_now, field.auto_now_add = auto_now, auto_now_add
