"""Uploads in chunks: begin or resume one, write a chunk at its offset, finish as a source, discard, clean up.

The file grows below KOMA_DATA_DIR/uploads; `received` grows only after the bytes are on the disk, so that it is right
after any crash or lost connection.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ingest import humane
from ingest.actions import sources
from ingest.actions.room import NoRoom, reserve
from ingest.actions.sources import About, AlreadyThere, Inspected
from ingest.errors import BadInput, Conflict
from ingest.imaging.folders import VIDEO_ENDINGS, ZIP_ENDINGS, ending_of
from ingest.imaging.formats import FORMATS_TEXT, PICTURE_ENDINGS
from ingest.imaging.names import plain_name, plain_text
from ingest.imaging.packing import pack
from ingest.imaging.sidecars import is_side_file
from ingest.imaging.store import StoreFull, check_room, full, no_room
from ingest.models import Collection, Episode, Upload

RESERVATION_LOCK = 0x6B6F6D61  # of PostgreSQL; SQLite has one writer anyway
CHUNK_BYTES = 8 * 2**20  # a lost connection costs at most this much; below the limit of one request
UNFINISHED_MAX_AGE_DAYS = 7
UNFINISHED_MAX = 50  # of one person in one collection: names on the disk must not grow without end


class TooLarge(BadInput):
    """The file exceeds the limit of this site."""


class WrongOffset(Conflict):
    """The chunk does not begin where the last one ended; `received` is where to resume."""

    def __init__(self, received: int) -> None:
        super().__init__(f"{received:,} bytes have arrived; the next chunk must begin there.")
        self.received = received


def begin(*, collection: Collection, by: Any, key: str, name: str, size: int, about: About) -> Upload:
    """Start an upload, or resume the unfinished one of the same file at `received`.

    The browser makes `key` of name, size and date. Raises TooLarge, NoRoom, BadInput.
    """
    display_name, key = plain_name(name), plain_text(key, bytes_max=64)
    if not key or size < 0:
        raise BadInput(f"{display_name}: the browser did not identify the file. Reload the page and try again.")
    if size == 0:
        raise BadInput(f"{display_name}: the file is empty (0 bytes). Copy it again from its source.")
    if ending_of(display_name) not in VIDEO_ENDINGS | ZIP_ENDINGS | PICTURE_ENDINGS:
        raise BadInput(
            f"{display_name}: only films, pictures and zips of pictures can be added. Films: mkv, mp4, webm, avi, ts, "
            f"mov and the like; pictures: {FORMATS_TEXT}."
        )
    if size > settings.KOMA_UPLOAD_MAX_BYTES:
        limit = humane.filesize(settings.KOMA_UPLOAD_MAX_BYTES)
        raise TooLarge(
            f"{display_name} is {humane.filesize(size)}; the limit is {limit}. "
            "Put it into a library folder instead, or raise KOMA_UPLOAD_MAX_BYTES."
        )
    sweep()
    own_uploads = Upload.objects.filter(collection=collection, user=by)
    upload = own_uploads.filter(key=key).first()
    if upload is not None and (upload.source_id or upload.size_bytes != size):
        _delete(upload)  # finished before (the source may be deleted since): ask again whether it is there
        upload = None
    if upload is None:
        if own_uploads.filter(source__isnull=True).count() >= UNFINISHED_MAX:
            raise BadInput(f"You have {UNFINISHED_MAX} unfinished uploads here. Finish or discard some.")
        options = {name: getattr(about, name) for name in About.__slots__}
        fresh = Upload(collection=collection, user=by, key=key, name=display_name, size_bytes=size, options=options)
        try:
            with _reservation_lock():
                reserve(fresh, by=by)
                fresh.save()
            upload = fresh
        except IntegrityError:  # the same page open twice
            upload = own_uploads.get(key=key)
    else:
        _correct_received(upload)
        _renew_reservation(upload)
    return upload


def take_chunk(*, upload: Upload, offset: int, data: bytes) -> int:
    """Write bytes that begin at `offset`; returns how many bytes of the file have arrived.

    A chunk may overlap what has arrived. Raises WrongOffset for a gap, TooLarge for more bytes than announced, NoRoom
    for a full disk (what has arrived is kept).
    """
    received, end = upload.received, offset + len(data)
    if upload.source_id is not None:
        return upload.size_bytes
    if offset < 0 or offset > received:
        raise WrongOffset(received)
    if end > upload.size_bytes:
        raise TooLarge(f"{upload.name}: more than the announced {upload.size_bytes:,} bytes arrived. Start again.")
    if end <= received:
        return received
    _renew_reservation(upload)
    path = part_path(upload)
    try:
        check_room(path.parent, end - received, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            _write_at(handle, data[received - offset :], received)
            os.fsync(handle)
        finally:
            os.close(handle)
    except StoreFull as error:
        raise NoRoom(f"{upload.name}: {error}") from error
    except OSError as error:
        if no_room(error):
            raise NoRoom(f"{upload.name}: {full(path.parent, error)}") from error
        raise
    # Only from the state that was read: of two requests with the same chunk one raises it, both are right.
    Upload.objects.filter(pk=upload.pk, received=received).update(received=end, updated_at=timezone.now())
    upload.received = end
    return end


def finish(*, upload: Upload, by: Any) -> Episode:
    """Add a complete upload as a source. A second call returns the same episode.

    Raises WrongOffset while bytes are missing, AlreadyThere for a file that the collection has, BadInput for one that
    cannot be read; in the last two cases the uploaded bytes are deleted.
    """
    if upload.source is not None:
        return upload.source.episode
    path = part_path(upload)
    _correct_received(upload)
    if upload.received != upload.size_bytes:
        raise WrongOffset(upload.received)
    try:
        episode = sources.register(
            collection=upload.collection,
            path=path,
            by=by,
            name=upload.name,
            about=About(**upload.options),
            place=lambda inspected: _move_to_sources(path, upload.collection, inspected),
        )
    except AlreadyThere as error:
        upload.refresh_from_db()
        if upload.source_id == error.episode.source_id:  # the same request, sent twice
            return error.episode
        _delete(upload)
        raise
    except BadInput:
        _delete(upload)
        raise
    Upload.objects.filter(pk=upload.pk).update(source=episode.source, received=upload.size_bytes)
    _remove_folder(upload)
    return episode


def grouped(files: list[Any]) -> tuple[list[Any], list[str]]:
    """Group files of a form for adding: several pictures, or pictures with tag files, become one zip; others stay.

    Pictures for which there is no space are left out; the second list holds messages about them.
    """
    pictures = [file for file in files if ending_of(file.name or "") in PICTURE_ENDINGS]
    side_files = [file for file in files if is_side_file(file.name or "")]
    if len(pictures) + len(side_files) < 2 or not pictures:
        return files, []
    others = [file for file in files if file not in pictures and file not in side_files]
    root = Path(settings.KOMA_DATA_DIR)
    first = plain_name(pictures[0].name)
    more = f" and {len(pictures) - 1} more" if len(pictures) > 1 else ""
    try:
        size = 2 * sum(
            file.size for file in (*pictures, *side_files)
        )  # the zip, and its copy while it is taken as an upload
        check_room(root, size, reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)
        packed = pack([(file.name, file) for file in (*pictures, *side_files)], folder=root)
    except OSError as error:  # StoreFull is one
        if isinstance(error, StoreFull) or no_room(error):
            why = error if isinstance(error, StoreFull) else full(root, error)
            return others, [f"{first}{more}: {why}"]
        raise
    return [*others, File(packed, name=f"{first.rpartition('.')[0]}{more}.zip")], []


def discard(*, upload: Upload) -> None:
    """Delete an unfinished upload with its bytes; the source of a finished one is kept."""
    _delete(upload)


def sweep(*, age_days: float = UNFINISHED_MAX_AGE_DAYS) -> int:
    """Delete uploads that were not resumed for a week, and folders without a row; returns how many."""
    old = timezone.now() - timedelta(days=age_days)
    stale = list(Upload.objects.filter(updated_at__lt=old))
    for upload in stale:
        _delete(upload)
    root = _root()
    if root.is_dir():
        known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
        for folder in root.iterdir():
            if folder.name not in known and folder.stat().st_mtime < old.timestamp():
                shutil.rmtree(folder, ignore_errors=True)
    return len(stale)


def part_path(upload: Upload) -> Path:
    """The partial file: in a folder of this upload, under a safe name."""
    return _root() / str(upload.pk) / plain_name(upload.name)


def _root() -> Path:
    return Path(settings.KOMA_DATA_DIR) / "uploads"


def _renew_reservation(upload: Upload) -> None:
    """Reserve space again where the reservation has expired. Raises NoRoom, OverQuota; what has arrived is kept."""
    if not upload.is_reserved():
        with _reservation_lock():
            reserve(upload, by=upload.user)
            upload.save(update_fields=["updated_at"])


@contextmanager
def _reservation_lock() -> Iterator[None]:
    """Serialise reservations, or two at the same moment would both take the last space."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RESERVATION_LOCK])
        yield


def _correct_received(upload: Upload) -> None:
    """Lower `received` to the size of the file, which may have lost bytes with a disk or by hand."""
    try:
        size = part_path(upload).stat().st_size
    except FileNotFoundError:
        size = 0
    if size < upload.received and upload.source_id is None:
        upload.received = size
        upload.save(update_fields=["received", "updated_at"])


def _write_at(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written


def _move_to_sources(path: Path, collection: Collection, inspected: Inspected) -> str:
    """Move the file to the sources, under its hash; returns the path below the data folder."""
    relative = f"sources/{collection.pk}/{inspected.sha256}.{ending_of(path.name)}"
    target = Path(settings.KOMA_DATA_DIR) / relative
    target.parent.mkdir(parents=True, exist_ok=True)
    path.replace(target)
    return relative


def _delete(upload: Upload) -> None:
    _remove_folder(upload)
    upload.delete()


def _remove_folder(upload: Upload) -> None:
    shutil.rmtree(part_path(upload).parent, ignore_errors=True)
