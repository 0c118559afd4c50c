"""Disk space for uploads: reserved while a file is being sent and for some minutes after its last byte.

Messages about missing space name no folder of the server, and other people's uploads only to those who may see them.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from ingest.errors import KomaError
from ingest.humane import filesize
from ingest.models import RESERVED_FOR, Membership, Upload
from ingest.storage import quota
from ingest.storage.stored_files import available_bytes

NAMED_MAX = 3  # people in the way that are named; the others are counted


class NoRoom(KomaError):
    """Not enough disk space, or the person has reserved too much of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=False)


def reserve(upload: Upload, *, by: Any) -> None:
    """Check that the rest of an upload fits next to what others are sending. Raises NoRoom, OverQuota.

    The row is the reservation, from its next save on; it expires some minutes after `updated_at`.
    """
    need = upload.coming
    quota.check(collection=upload.collection, by=by, more_bytes=need if upload.received else upload.size_bytes)
    others = Upload.objects.reserved().exclude(pk=upload.pk)
    own_bytes = sum(row.coming for row in others.filter(user=by))
    limit = settings.KOMA_UPLOAD_RESERVED_BYTES
    if own_bytes and own_bytes + need > limit:
        raise NoRoom(
            f"{upload.name}: your other uploads still need {filesize(own_bytes)}, and one person can reserve at most "
            f"{filesize(limit)}. Wait until they finish, or discard some."
        )
    free = available_bytes()
    rows = list(others.select_related("user", "collection"))
    if need + sum(row.coming for row in rows) <= free:
        return
    text = f"{upload.name}: {filesize(need)} needed, {filesize(free)} free"
    if not rows:
        raise NoRoom(f"{text}. Not enough space on the server's disk; ask a site admin to free some.")
    raise NoRoom(
        f"{text}, and {_competing_uploads(rows, by=by)}. Try again when that has finished; space stays reserved for "
        f"{RESERVED_FOR.seconds // 60} minutes after the last byte."
    )


def _competing_uploads(rows: list[Upload], *, by: Any) -> str:
    """`alice is uploading 12.0 GB to Show, other uploads need 3.0 GB`: by name where `by` may see the upload."""
    own_collections = set(Membership.objects.filter(user=by).values_list("collection_id", flat=True))
    known = [row for row in rows if by.is_superuser or row.collection_id in own_collections or row.user_id == by.pk]
    known.sort(key=lambda row: -row.coming)
    parts = []
    for row in known[:NAMED_MAX]:
        who = "you are" if row.user_id == by.pk else f"{row.user.get_username()} is"
        parts.append(f"{who} uploading {filesize(row.coming)} to {row.collection.name}")
    rest = sum(row.coming for row in rows) - sum(row.coming for row in known[:NAMED_MAX])
    if rest:
        parts.append(f"other uploads need {filesize(rest)}")
    return ", ".join(parts)
