"""Empty the database after a test that commits: only the tables that hold something, and what every site has stays.

Django's `flush` truncates all tables, and then makes all content types and permissions again: 30 ms on SQLite, and on
PostgreSQL far more than most of these tests take.
"""

from __future__ import annotations

from typing import Any

from django.core.management.color import no_style
from django.db import IntegrityError, connections

STAYS = {"django_content_type", "auth_permission"}
TRIES = 10


def empty(using: str = "default") -> None:
    """Delete all rows but those of STAYS; triggers that count rows may write others, which are deleted then.

    The last request of a page that is closed may still write into a table that was empty a moment ago. Where its rows
    name deleted ones, nothing is deleted, and all is looked at again.
    """
    connection = connections[using]
    refused = 0
    while tables := _with_rows(connection):
        if connection.vendor == "postgresql":
            # Without the triggers, and without waiting for new files as TRUNCATE does.
            statements = [f"DELETE FROM {connection.ops.quote_name(table)}" for table in tables]
            statements.insert(0, "SET LOCAL session_replication_role = replica")
        else:
            statements = connection.ops.sql_flush(no_style(), tables, reset_sequences=False, allow_cascade=False)
        try:
            connection.ops.execute_sql_flush(statements)
        except IntegrityError:
            refused += 1
            if refused == TRIES:
                raise


def _with_rows(connection: Any) -> list[str]:
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - STAYS)
    query = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})" for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [table for (table,) in cursor.fetchall()]
