"""Writes a backup: a snapshot of the rows, then the files they refer to; complete or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.db import connection, models, transaction
from django.utils import timezone

from ingest.backup import graph
from ingest.backup.opening import CHUNK_BYTES, FORMAT, FORMAT_VERSION, check_content
from ingest.errors import BadInput, KomaError
from ingest.imaging.store import full, no_room
from ingest.models import Collection, Source
from ingest.restoring import source_path
from ingest.storage import stored_files
from ingest.storage.stored_files import store
from ingest.version import VERSION


@dataclass(frozen=True, slots=True)
class Written:
    """The content of the backup."""

    rows: int
    files: int
    size_bytes: int
    missing: tuple[str, ...]  # files that rows refer to and that do not exist


def write(*, collection: Collection, target: Path, with_sources: bool = True) -> Written:
    """Write the collection to `target`. Raises KomaError for a full disk, a path that cannot be written, or a backup
    that could not be restored."""
    temp = target.with_name(f".{target.name}.{secrets.token_hex(6)}")
    try:
        with zipfile.ZipFile(temp, "x", zipfile.ZIP_STORED, allowZip64=True) as archive:
            written = _write_archive(archive, collection, with_sources=with_sources)
        with temp.open("rb") as file:
            os.fsync(file.fileno())
        _verify(temp, target)
        temp.replace(target)
    except OSError as error:
        if no_room(error):
            raise KomaError(str(full(target.parent, error)), permanent=False) from error
        raise KomaError(f"{target} cannot be written ({os.strerror(error.errno or 0)}).") from error
    finally:
        temp.unlink(missing_ok=True)
    return Written(written.rows, written.files, target.stat().st_size, written.missing)


def _verify(temp: Path, target: Path) -> None:
    """Verify the new backup as a restore would, before it is needed."""
    try:
        check_content(temp)
    except BadInput as error:
        why = error.message.replace(temp.name, target.name)
        raise KomaError(
            f"The backup could not be verified and was deleted. {why} Restore that file (or delete what it belongs to) "
            "and try again."
        ) from error


def _write_archive(archive: zipfile.ZipFile, collection: Collection, *, with_sources: bool) -> Written:
    counts: dict[str, int] = {}
    with _snapshot():
        tables = graph.owned()
        needed: dict[graph.Model, set[int]] = {model: set() for model in graph.shared(tables)}
        for model, path in tables.items():
            counts[model._meta.label] = _write_rows(archive, model, graph.rows_of(model, path, collection), needed)
        for model, keys in needed.items():
            rows = model._default_manager.filter(pk__in=keys) if len(keys) < 500 else _rows_by_key(model, keys)
            counts[model._meta.label] = _write_rows(archive, model, rows, {})
        for model, key in graph.attached(needed).items():
            rows = _rows_by_key(model, needed[key.related_model], by=key.attname)
            counts[model._meta.label] = _write_rows(archive, model, rows, {})
        names = stored_files.names_of({"collection": collection})
        sources = list(Source.objects.filter(collection=collection, uploaded=True)) if with_sources else []
    files: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for name in sorted(names):
        _add_file(archive, f"store/{name}", store().path(name), files, missing)
    for source in sources:
        place = source_path(source)
        _add_file(archive, f"sources/{source.sha256}{place.suffix.lower()}", place, files, missing)
    manifest = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "koma": VERSION,
        "made_at": timezone.now().isoformat(),
        "collection": {"id": collection.pk, "name": collection.name},
        "rows": counts,
        "files": files,
        "missing": missing,
    }
    archive.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False), zipfile.ZIP_DEFLATED)
    return Written(sum(counts.values()), len(files), 0, tuple(missing))


def _write_rows(archive: zipfile.ZipFile, model: graph.Model, rows: Any, needed: dict[graph.Model, set[int]]) -> int:
    """Write one JSON object per line; adds referenced rows of shared models to `needed`."""
    is_user_model = model is get_user_model()
    fields: list[models.Field[Any, Any]] = graph.value_fields(model)
    if is_user_model:  # only the name: no password, no e-mail address
        fields = [field for field in fields if field.name == model.USERNAME_FIELD]  # type: ignore[attr-defined]
    keys = [] if is_user_model else graph.foreign_keys(model)
    info = zipfile.ZipInfo(f"rows/{model._meta.label}.jsonl", date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = zipfile.ZIP_DEFLATED
    count = 0
    with archive.open(info, "w", force_zip64=True) as out:
        for row in rows:
            values = graph.row_of(row, fields=[*fields, *keys])
            out.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            for key in keys:
                target = key.related_model
                if target in needed and values[key.attname] is not None:
                    needed[target].add(values[key.attname])
            count += 1
    return count


def _add_file(
    archive: zipfile.ZipFile, name: str, path: Path, files: dict[str, dict[str, Any]], missing: list[str]
) -> None:
    if name in files:
        return
    try:
        source: BinaryIO = path.open("rb")
    except FileNotFoundError:
        missing.append(name)
        return
    digest, size = hashlib.sha256(), 0
    with source, archive.open(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as out:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            out.write(chunk)
    files[name] = {"size": size, "sha256": digest.hexdigest()}


def _rows_by_key(model: graph.Model, keys: set[int], *, by: str = "pk") -> Iterator[models.Model]:
    ordered = sorted(keys)
    for start in range(0, len(ordered), 500):
        yield from model._default_manager.filter(**{f"{by}__in": ordered[start : start + 500]}).order_by("pk")


@contextmanager
def _snapshot() -> Iterator[None]:
    """All reads see the database as of the first one; on SQLite others can still write."""
    is_sqlite = connection.vendor == "sqlite"
    previous_mode = getattr(connection, "transaction_mode", None)
    if is_sqlite:
        connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql" and not connection.savepoint_ids:
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield
    finally:
        if is_sqlite:
            connection.transaction_mode = previous_mode  # type: ignore[attr-defined]
