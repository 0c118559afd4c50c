"""Restores a backup into a new collection.

The file is taken for hostile: names, hashes, types and references are checked, and nothing is left of a refused one.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from ingest import outside_json, video_library
from ingest.backup import graph, past
from ingest.backup.opening import CHUNK_BYTES, LINE_BYTES_MAX, SOURCE, Opened, hash_in_name, opened
from ingest.errors import BadInput, KomaError
from ingest.history_rules import json_keys
from ingest.imaging.archive import Member, ZipReader
from ingest.imaging.folders import is_inside
from ingest.imaging.names import plain_text
from ingest.imaging.store import StoreFull, check_room
from ingest.models import (
    FINISHED,
    Collection,
    CollectionLimits,
    Membership,
    PipelineRun,
    Revision,
    Role,
    RunState,
    Source,
    StageRun,
)
from ingest.pipeline.renamed import RENAMED, rename_stages
from ingest.storage import stored_files
from ingest.storage.stored_files import store

BATCH = 500
_NEVER_THERE = "gone"  # ending of the path of a source that did not come along


@dataclass(frozen=True, slots=True)
class Restored:
    """What came out of the file."""

    collection: Collection
    rows: int
    files: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class _State:
    """Old keys to new ones by model label, and what must be cleaned up after a refusal."""

    reader: ZipReader
    members: dict[str, Member]
    manifest: dict[str, Any]
    keys: dict[str, dict[int, int]]
    salt: str
    trust_paths: bool
    left_out: int = 0  # revisions of the history that undo must not write

    def key(self, label: str, old: Any) -> int:
        """The new key of a row; BadInput for one that is not in the backup."""
        try:
            return self.keys[label][old]
        except (KeyError, TypeError):
            raise BadInput(f"The backup is damaged: a row points to {label} {old!r}, which is not in it.") from None

    def key_or_ghost(self, label: str, old: Any) -> Any:
        """As `key`, but for rows that history remembers and that are gone: a negative key that no row has."""
        found = self.keys.get(label, {}).get(old) if isinstance(old, int) else None
        if found is not None or not isinstance(old, int):
            return found
        return -(int.from_bytes(hashlib.sha256(f"{self.salt}{label}{old}".encode()).digest()[:6], "big") + 1)


def restore(*, source: Path, owner: Any, name: str = "", trust_paths: bool = False) -> Restored:
    """Make a new collection from a backup; `owner` becomes its admin. Raises BadInput or KomaError and leaves nothing.

    Paths of files that are read in place are kept where they lie in the library; elsewhere only with `trust_paths`.
    """
    try:
        with opened(source) as backup:
            return _restore(backup, owner=owner, name=name, trust_paths=trust_paths)
    except OSError as error:
        raise KomaError(f"{plain_text(source.name)}: {error.strerror or error}") from error


def _restore(backup: Opened, *, owner: Any, name: str, trust_paths: bool) -> Restored:
    shown = backup.shown
    state = _State(backup.reader, backup.members, backup.manifest, {}, secrets.token_hex(8), trust_paths)
    total = sum(member.size for member in state.members.values())
    try:
        check_room(store().root, total, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        kept = _files_to_store(state)
    except StoreFull as error:
        raise KomaError(str(error), permanent=False) from error
    moved: list[Path] = []
    try:
        with transaction.atomic(), _times_kept():
            rows = _rows(state)
            if len(state.keys["ingest.Collection"]) != 1:
                raise BadInput(f"{shown}: the backup is damaged: it does not hold exactly one collection.")
            collection = Collection.objects.get(pk=state.key("ingest.Collection", state.manifest["collection"]["id"]))
            collection.name = plain_text(name or collection.name, bytes_max=800)[:200]
            if Collection.objects.visible_to(owner).filter(name=collection.name).exists():
                collection.name = f"{collection.name[:180]} (restored)"
            collection.save(update_fields=["name"])
            Membership.objects.create(collection=collection, user=owner, role=Role.ADMIN)
            CollectionLimits.objects.create(collection=collection, all_folders=owner.is_superuser)
            rename_stages(apps, RENAMED, collection=collection.pk)
            _stop_runs(collection)
            notes = _place_sources(state, collection, moved)
    except (ValidationError, DatabaseError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        _clean_up(kept, moved)
        text = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        raise BadInput(f"{shown}: the backup is damaged or of another version of Koma ({plain_text(text)}).") from error
    except BaseException:
        _clean_up(kept, moved)
        raise
    if state.left_out:
        changes = "1 change" if state.left_out == 1 else f"{state.left_out:,} changes"
        notes.append(f"{changes} in its history cannot be undone here: undo must not write what the backup says.")
    missing = state.manifest.get("missing", [])
    notes += [f"{len(missing)} files were missing already when the backup was made."] if missing else []
    return Restored(collection, rows, len(kept) + len(moved), tuple(notes))


def _clean_up(kept: list[str], moved: list[Path]) -> None:
    for path in moved:
        path.unlink(missing_ok=True)
    stored_files.remove_unused(store(), kept)


def _files_to_store(state: _State) -> list[str]:
    """Write pictures to the store and compare each with its name; what was written is cleaned up on a refusal."""
    kept: list[str] = []
    try:
        for name in state.manifest["files"]:
            if name.startswith("store/"):
                stored = name.removeprefix("store/")
                data = state.reader.read(state.members[name])
                if hashlib.sha256(data).hexdigest() != hash_in_name(name):
                    raise BadInput(
                        f"{plain_text(name)}: its content is not what its name says. The backup was refused."
                    )
                kept.append(store().put(data, stored.rpartition(".")[2]))
    except BaseException:
        stored_files.remove_unused(store(), kept)
        raise
    return kept


def _rows(state: _State) -> int:
    tables = graph.owned()
    count = 0
    shared = graph.shared(tables)
    for model, natural in shared.items():
        count += _shared_rows(state, model, natural)
    for model, key in graph.beside(shared).items():
        count += _rows_beside(state, model, key)
    for model in tables:
        count += _owned_rows(state, model)
    return count


def _lines(state: _State, label: str) -> Iterator[tuple[int, dict[str, Any]]]:
    member = state.members.get(f"rows/{label}.jsonl")
    if member is None:
        return
    with state.reader.open(member) as file:
        number = 0
        while line := file.readline(LINE_BYTES_MAX):
            number += 1
            try:
                row = outside_json.parsed(line)
                old = row["id"]
            except (ValueError, KeyError, TypeError):
                raise BadInput(f"The backup is damaged: {label}, line {number} cannot be read.") from None
            if not isinstance(old, int) or old in state.keys.setdefault(label, {}):
                raise BadInput(f"The backup is damaged: {label}, line {number} has no key of its own.")
            yield old, row


def _shared_rows(state: _State, model: graph.Model, natural: tuple[str, ...]) -> int:
    """People, tags, model versions: the rows that are here by their natural key, else new ones (people: inactive)."""
    label = model._meta.label
    keys = state.keys.setdefault(label, {})
    fields = {field.name: field for field in graph.plain_fields(model)}
    for old, row in _lines(state, label):
        values = {name: graph.from_json(field, row[name]) for name, field in fields.items() if name in row}
        for name in getattr(model, "NOT_FROM_BACKUP", ()):
            values.pop(name, None)
        if model is get_user_model():
            values = {natural[0]: str(row[natural[0]])[:150], "is_active": False, "password": "!"}
        lookup = {name: values[name] for name in natural}
        found = model._default_manager.filter(**lookup).first()
        if found is None:
            found = model(**values)
            graph.check(found)
            found.save(force_insert=True)
        keys[old] = found.pk
    return len(keys)


def _rows_beside(state: _State, model: graph.Model, key: models.OneToOneField[Any, Any]) -> int:
    """What is told of shared rows, for those of which nothing is told here yet."""
    fields = {field.name: field for field in graph.plain_fields(model)}
    count = 0
    for _, row in _lines(state, model._meta.label):
        target = state.key(key.related_model._meta.label, row.get(key.attname))
        if model._default_manager.filter(**{key.attname: target}).exists():
            continue
        values = {name: graph.from_json(field, row[name]) for name, field in fields.items() if name in row}
        made = model(**values, **{key.attname: target})
        graph.check(made)
        made.save(force_insert=True)
        count += 1
    return count


def _owned_rows(state: _State, model: graph.Model) -> int:
    label = model._meta.label
    keys = state.keys.setdefault(label, {})
    plain, foreign = graph.plain_fields(model), graph.foreign_keys(model)
    later: list[tuple[int, str, int]] = []
    batch: list[tuple[int, models.Model]] = []

    def flush() -> None:
        made = model._default_manager.bulk_create([row for _, row in batch])
        keys.update({old: row.pk for (old, _), row in zip(batch, made, strict=True)})
        batch.clear()

    waiting: set[int] = set()
    for old, row in _lines(state, label):
        if old in waiting:
            raise BadInput(f"The backup is damaged: {label} {old} is in it twice.")
        waiting.add(old)
        made = model(**{f.attname: graph.from_json(f, row[f.attname]) for f in plain if f.attname in row})
        for key in foreign:
            value = row.get(key.attname)
            if value is None:
                continue
            if key.related_model is model:
                later.append((old, key.attname, value))
            else:
                setattr(made, key.attname, state.key(key.related_model._meta.label, value))
        _other_keys(state, label, made)
        graph.check(made)
        if isinstance(made, Revision) and not past.adapt(made, key=state.key_or_ghost, files=state.manifest["files"]):
            state.left_out += 1
            continue
        batch.append((old, made))
        if len(batch) >= BATCH:
            flush()
    flush()
    for old, attname, target in later:
        model._default_manager.filter(pk=keys[old]).update(**{attname: state.key(label, target)})
    return len(keys)


def _other_keys(state: _State, label: str, row: models.Model) -> None:
    """Keys that stand in JSON fields, and names of stored files: only of those that came along."""
    for (model, name), target in json_keys().items():
        if model == label:
            setattr(row, name, [state.key_or_ghost(target, old) for old in getattr(row, name)])
    for owner, name in stored_files.file_fields():
        if isinstance(row, owner) and f"store/{getattr(row, name)}" not in state.manifest["files"]:
            setattr(row, name, "")


def _place_sources(state: _State, collection: Collection, moved: list[Path]) -> list[str]:
    """Uploaded files go below our data folder; files that were read in place are looked for in the library."""
    notes = []
    roots = video_library.roots()
    by_hash = {m[1]: name for name in state.manifest["files"] if (m := SOURCE.fullmatch(name))}
    for source in Source.objects.filter(collection=collection):
        path = Path(source.path)
        name = by_hash.get(source.sha256) if source.uploaded else None
        if name is not None:
            ending = name.rpartition(".")[2]
            source.path = f"sources/{collection.pk}/{source.sha256}.{ending}"
            _unpack(state, name, Path(settings.KOMA_DATA_DIR) / source.path, source.sha256, moved)
        elif source.uploaded or not (state.trust_paths or any(is_inside(path, root) for root in roots)):
            notes.append(f"{source.name} did not come along; its dropped frames cannot be given back in full.")
            source.path, source.uploaded = f"sources/{collection.pk}/{source.pk}.{_NEVER_THERE}", True
        source.save(update_fields=["path", "uploaded"])
    return notes


def _unpack(state: _State, name: str, target: Path, sha256: str, moved: list[Path]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    moved.append(target)
    with state.reader.open(state.members[name]) as file, target.open("xb") as out:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != sha256:
        raise BadInput(f"{plain_text(name)}: its content is not what its name says. The backup was refused.")


def _stop_runs(collection: Collection) -> None:
    """Runs that were at work when the backup was made do not start here by themselves."""
    now = timezone.now()
    StageRun.objects.filter(run__collection=collection).exclude(state__in=FINISHED).update(
        state=RunState.CANCELLED, token="", finished_at=now
    )
    PipelineRun.objects.filter(collection=collection).update(tallies=None)  # added up again from the rows
    PipelineRun.objects.filter(collection=collection).exclude(state__in=FINISHED).update(
        state=RunState.CANCELLED, finished_at=now
    )


@contextmanager
def _times_kept() -> Iterator[None]:
    """Fields that set themselves to now keep what the backup says. For a command, which has its process to itself."""
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
