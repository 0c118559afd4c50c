"""Recognises a full disk by types and codes of errors: of files, of SQLite and of PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from django.conf import settings

from ingest.imaging.store import StoreFull, free_bytes, no_room

WORDS = (
    "The disk that Koma writes to is full, so nothing was saved. Earlier work is safe. Free some space on "
    "the server, or ask its admin to, and try again."
)
POSTGRES_FULL = "53100"
# Of the extended codes, the low byte. The second kind has other causes as well, so the disk itself is asked.
SQLITE_FULL = sqlite3.SQLITE_FULL
SQLITE_MAYBE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
FREE_LEAST_BYTES = 2**20  # SQLite's shared memory and journal begin with less


def disk_is_full(error: BaseException | None) -> bool:
    """Whether a full disk caused the error, at any depth of its causes."""
    return any(_says_full(cause) for cause in _chain(error))


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return isinstance(error, StoreFull) or no_room(error)
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return code == SQLITE_FULL or (code in SQLITE_MAYBE and free_bytes(settings.KOMA_DATA_DIR) < FREE_LEAST_BYTES)
    return getattr(error, "sqlstate", None) == POSTGRES_FULL


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
