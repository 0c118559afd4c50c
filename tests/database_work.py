"""Counts what the database does, so that tests can state that work does not grow, without a clock."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection
from django.test.utils import CaptureQueriesContext

STEPS = 50  # instructions of SQLite's machine between two calls of our counter


def cost(action: Callable[[], object]) -> tuple[int, int]:
    """Queries, and instructions of SQLite's machine in fifties (0 on PostgreSQL)."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.ensure_connection()
    if connection.vendor == "sqlite":
        connection.connection.set_progress_handler(count, STEPS)
    try:
        with CaptureQueriesContext(connection) as queries:
            action()
    finally:
        if connection.vendor == "sqlite":
            connection.connection.set_progress_handler(None, 0)
    return len(queries), steps
