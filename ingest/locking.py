"""One order of locks, and retries where the database resolved a deadlock by rolling back.

Whoever writes rows of a collection locks the collection's row first (`hold`), then the rows. The lock does not block
foreign keys, so uploads and heartbeats go on; rows of other collections are never waited for.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, OperationalError, connection, transaction

from ingest.errors import Conflict
from ingest.models import Collection

logger = logging.getLogger(__name__)

ATTEMPTS = 4
WAIT_S = 0.05  # before the second attempt, doubled before each other one
RETRIES_S_MAX = 10  # SQLite has waited for half a minute when it says that it is busy: nobody waits four times as long
TURN_TAKING = frozenset({"40P01", "40001", "55P03"})  # PostgreSQL: deadlock, serialisation failure, lock not available
CONNECTION_LOST = ("08", "57P")  # PostgreSQL: the connection broke, the server stops, crashed or starts
SQLITE_BUSY = frozenset({5, 6})  # SQLITE_BUSY and SQLITE_LOCKED, the low byte of the extended codes

Value = TypeVar("Value")


def hold(collection: Collection | int) -> Collection:
    """Take the collection's write lock until the transaction ends; returns the row as it is now.

    Raises Conflict where it was deleted.
    """
    key = collection if isinstance(collection, int) else collection.pk
    row = Collection.objects.select_for_update(no_key=True).filter(pk=key).first()
    if row is None:
        raise Conflict("This collection was deleted.")
    return row


def is_turn_taking(error: BaseException) -> bool:
    """Whether the database rolled this transaction back in favour of another one, so that it can be retried."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    if getattr(cause, "sqlstate", None) in TURN_TAKING:
        return True
    return isinstance(error, OperationalError) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in SQLITE_BUSY


def is_unavailable(error: BaseException) -> bool:
    """Whether the database was busy or its server went away, which says nothing about the work that noticed it."""
    if is_turn_taking(error):
        return True
    if connection.vendor != "postgresql" or not isinstance(error, OperationalError | InterfaceError):
        return False
    sqlstate = getattr(error.__cause__, "sqlstate", None)
    return sqlstate is None or sqlstate.startswith(CONNECTION_LOST)


def retried(action: Callable[[], Value], *, before_retry: Callable[[], None] | None = None) -> Value:
    """The value of `action`, which is retried where the database rolled it back in favour of another transaction.

    Raises the last error after ATTEMPTS. Only where no transaction is open: in one, only all of it could be retried.
    """
    began = time.monotonic()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except DatabaseError as error:
            late = time.monotonic() - began > RETRIES_S_MAX
            if not is_turn_taking(error) or attempt == ATTEMPTS or late or transaction.get_connection().in_atomic_block:
                raise
            logger.info("run again (%s of %s): %s", attempt, ATTEMPTS, type(error.__cause__).__name__)
        if before_retry is not None:
            before_retry()
        time.sleep(WAIT_S * 2 ** (attempt - 1) * (0.5 + random.random()))
    raise AssertionError("unreachable")
