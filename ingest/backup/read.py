"""Restores a backup into a new collection.

The file is untrusted: names, hashes, types and references are checked, and a refused one leaves nothing behind.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from ingest import humane, video_library
from ingest.backup.opening import CHUNK_BYTES, SOURCE, OpenBackup, hash_in_name, open_backup
from ingest.backup.rows import RestoreState, restore_rows, timestamps_from_backup
from ingest.errors import BadInput, KomaError
from ingest.imaging.folders import is_inside
from ingest.imaging.names import plain_text
from ingest.imaging.store import StoreFull, check_room
from ingest.models import (
    FINISHED,
    Collection,
    CollectionLimits,
    Membership,
    PipelineRun,
    Role,
    RunState,
    Source,
    StageRun,
)
from ingest.pipeline.renamed import RENAMED, rename_stages
from ingest.storage import stored_files
from ingest.storage.stored_files import store

_ABSENT_SUFFIX = "gone"  # of the path of a source that is not in the backup


@dataclass(frozen=True, slots=True)
class Restored:
    """The result of a restore. `notes` are texts for the user."""

    collection: Collection
    rows: int
    files: int
    notes: tuple[str, ...]


def restore(*, source: Path, owner: Any, name: str = "", trust_paths: bool = False) -> Restored:
    """Create a new collection from a backup; `owner` becomes its admin. Raises BadInput or KomaError without a trace.

    Paths of files that are read in place are accepted inside the library, elsewhere only with `trust_paths`.
    """
    try:
        with open_backup(source) as backup:
            return _restore(backup, owner=owner, name=name, trust_paths=trust_paths)
    except OSError as error:
        raise KomaError(f"{plain_text(source.name)}: {error.strerror or error}") from error


def _restore(backup: OpenBackup, *, owner: Any, name: str, trust_paths: bool) -> Restored:
    display_name = backup.display_name
    state = RestoreState(backup.reader, backup.members, backup.manifest, {}, secrets.token_hex(8), trust_paths)
    total = sum(member.size for member in state.members.values())
    try:
        check_room(store().root, total, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        stored_names = _files_to_store(state)
    except StoreFull as error:
        raise KomaError(str(error), permanent=False) from error
    moved_files: list[Path] = []
    try:
        with transaction.atomic(), timestamps_from_backup():
            rows = restore_rows(state)
            if len(state.new_keys["ingest.Collection"]) != 1:
                raise BadInput(f"{display_name}: the backup is damaged: it does not contain exactly one collection.")
            collection = Collection.objects.get(pk=state.key("ingest.Collection", state.manifest["collection"]["id"]))
            collection.name = plain_text(name or collection.name, bytes_max=800)[:200]
            if Collection.objects.visible_to(owner).filter(name=collection.name).exists():
                collection.name = f"{collection.name[:180]} (restored)"
            collection.save(update_fields=["name"])
            Membership.objects.create(collection=collection, user=owner, role=Role.ADMIN)
            CollectionLimits.objects.create(collection=collection, all_folders=owner.is_superuser)
            rename_stages(apps, RENAMED, collection=collection.pk)
            _stop_runs(collection)
            notes = _place_sources(state, collection, moved_files)
    except (ValidationError, DatabaseError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        _clean_up(stored_names, moved_files)
        text = "; ".join(error.messages) if isinstance(error, ValidationError) else str(error)
        raise BadInput(
            f"{display_name}: the backup is damaged or of another version of Koma ({plain_text(text)})."
        ) from error
    except BaseException:
        _clean_up(stored_names, moved_files)
        raise
    if state.left_out:
        changes = "1 change" if state.left_out == 1 else f"{state.left_out:,} changes"
        notes.append(f"{changes} in the history cannot be undone: undo must not write the values in the backup.")
    missing = state.manifest.get("missing", [])
    notes += [f"{humane.count(len(missing), 'file')} already missing when the backup was made."] if missing else []
    return Restored(collection, rows, len(stored_names) + len(moved_files), tuple(notes))


def _clean_up(stored_names: list[str], moved_files: list[Path]) -> None:
    for path in moved_files:
        path.unlink(missing_ok=True)
    stored_files.remove_unused(store(), stored_names)


def _files_to_store(state: RestoreState) -> list[str]:
    """Write pictures to the store after comparing each with its name; a refusal removes them again."""
    stored_names: list[str] = []
    try:
        for name in state.manifest["files"]:
            if name.startswith("store/"):
                base_name = name.removeprefix("store/")
                data = state.reader.read(state.members[name])
                if hashlib.sha256(data).hexdigest() != hash_in_name(name):
                    raise BadInput(f"{plain_text(name)}: its content does not match its name. The backup was refused.")
                stored_names.append(store().put(data, base_name.rpartition(".")[2]))
    except BaseException:
        stored_files.remove_unused(store(), stored_names)
        raise
    return stored_names


def _place_sources(state: RestoreState, collection: Collection, moved_files: list[Path]) -> list[str]:
    """Move uploaded files into the data folder; files that were read in place must be in the library."""
    notes = []
    roots = video_library.roots()
    by_hash = {m[1]: name for name in state.manifest["files"] if (m := SOURCE.fullmatch(name))}
    for source in Source.objects.filter(collection=collection):
        path = Path(source.path)
        name = by_hash.get(source.sha256) if source.uploaded else None
        if name is not None:
            ending = name.rpartition(".")[2]
            source.path = f"sources/{collection.pk}/{source.sha256}.{ending}"
            _unpack(state, name, Path(settings.KOMA_DATA_DIR) / source.path, source.sha256, moved_files)
        elif source.uploaded or not (state.trust_paths or any(is_inside(path, root) for root in roots)):
            notes.append(f"{source.name} is not in the backup; full pictures of its dropped frames cannot be restored.")
            source.path, source.uploaded = f"sources/{collection.pk}/{source.pk}.{_ABSENT_SUFFIX}", True
        source.save(update_fields=["path", "uploaded"])
    return notes


def _unpack(state: RestoreState, name: str, target: Path, sha256: str, moved_files: list[Path]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    moved_files.append(target)
    with state.reader.open(state.members[name]) as file, target.open("xb") as out:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != sha256:
        raise BadInput(f"{plain_text(name)}: its content does not match its name. The backup was refused.")


def _stop_runs(collection: Collection) -> None:
    """Cancel runs that were active when the backup was made."""
    now = timezone.now()
    StageRun.objects.filter(run__collection=collection).exclude(state__in=FINISHED).update(
        state=RunState.CANCELLED, token="", finished_at=now
    )
    PipelineRun.objects.filter(collection=collection).update(tallies=None)  # computed again from the rows
    PipelineRun.objects.filter(collection=collection).exclude(state__in=FINISHED).update(
        state=RunState.CANCELLED, finished_at=now
    )
