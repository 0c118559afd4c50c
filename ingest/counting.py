"""Counts of rows by group, kept up to date by triggers of the database in the transaction that changes the rows.

Pages of a large collection read a few thousand counts instead of counting a million rows, and no write (bulk changes,
cascades, undo, a restored backup) can bypass them. The triggers are created after every migration and dropped before
one: SQLite rebuilds a table that a migration changes, and refuses that while a trigger refers to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connections, models, transaction

PREFIX = "koma_count_"
EVENTS = ("insert", "update", "delete")


@dataclass(frozen=True)
class Watch:
    """A table whose changes move counts.

    `deltas` is SQL that selects the count's keys and a column `n` (1 or -1 a row) from `{signed}`: the changed rows
    with `columns` as they are now (sign 1) and as they were (sign -1).
    """

    table: str
    columns: Sequence[str]  # read by `deltas`; an update of others moves nothing
    deltas: str
    events: Sequence[str] = EVENTS


@dataclass(frozen=True)
class Counted:
    """A table of counts: its model, the SQL that counts all rows anew (keys and `n`), and what moves it."""

    model: type[models.Model]
    recount: str
    watches: Sequence[Watch]

    @cached_property
    def table(self) -> str:
        return str(self.model._meta.db_table)

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """Columns that tell the groups apart."""
        return tuple(field.attname for field in self.model._meta.concrete_fields if field.name not in ("id", "n"))


REGISTRY: list[Counted] = []


def register(*counted: Counted) -> None:
    """Add tables of counts; called by each app when it is ready."""
    REGISTRY.extend(item for item in counted if item not in REGISTRY)


def before_migrate(*, using: str, **_: Any) -> None:
    """Drop the triggers; `after_migrate` creates them again."""
    uninstall(using)


def after_migrate(*, using: str, **_: Any) -> None:
    """Make the triggers, and count anew, where all tables are there (not after a migration back to an early state)."""
    with connections[using].cursor() as cursor:
        tables = set(connections[using].introspection.table_names(cursor))
    if tables.issuperset({counted.table for counted in REGISTRY} | {w.table for c in REGISTRY for w in c.watches}):
        install(using)


def install(using: str = "default", *, only_missing: bool = True) -> None:
    """Create the triggers and recount everything, unless the right ones exist already."""
    connection = connections[using]
    triggers = {name: statements for counted in REGISTRY for name, statements in _triggers(counted, connection.vendor)}
    if only_missing and _installed(connection) == set(triggers):
        _forget_deleted(connection)
        return
    with transaction.atomic(using=using), connection.cursor() as cursor:
        _drop(connection, cursor)
        for statements in triggers.values():
            for statement in statements:
                cursor.execute(statement)
        for counted in REGISTRY:
            _recount(cursor, counted)


def uninstall(using: str = "default") -> None:
    """Drop the triggers, before tables change."""
    connection = connections[using]
    with transaction.atomic(using=using), connection.cursor() as cursor:
        _drop(connection, cursor)


def recount(using: str = "default") -> None:
    """Recount everything; for a check that found a difference."""
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        for counted in REGISTRY:
            _recount(cursor, counted)


def differences(collection_id: int, using: str = "default") -> list[str]:
    """What the stored counts of a collection say otherwise than its rows; empty when all are right."""
    problems = []
    with connections[using].cursor() as cursor:
        for counted in REGISTRY:
            keys = ", ".join(counted.keys)
            cursor.execute(f"SELECT {keys}, n FROM ({counted.recount}) fresh WHERE collection_id = %s", [collection_id])
            fresh = {tuple(row[:-1]): int(row[-1]) for row in cursor.fetchall()}
            cursor.execute(f"SELECT {keys}, n FROM {counted.table} WHERE collection_id = %s", [collection_id])
            stored = {tuple(row[:-1]): int(row[-1]) for row in cursor.fetchall()}
            for key in sorted(fresh.keys() | stored.keys(), key=str):
                if fresh.get(key, 0) != stored.get(key, 0):
                    words = ", ".join(f"{name} {value}" for name, value in zip(counted.keys, key, strict=True))
                    problems.append(
                        f"{counted.model._meta.label}: {stored.get(key, 0)} stored, {fresh.get(key, 0)} rows ({words})"
                    )
    return problems


def forget(collection_id: int, using: str = "default") -> None:
    """Remove the counts of a deleted collection."""
    for counted in REGISTRY:
        counted.model._default_manager.using(using).filter(collection_id=collection_id).delete()


def _forget_deleted(connection: Any) -> None:
    with connection.cursor() as cursor:
        for counted in REGISTRY:
            cursor.execute(f"DELETE FROM {counted.table} WHERE collection_id NOT IN (SELECT id FROM ingest_collection)")


def _recount(cursor: Any, counted: Counted) -> None:
    keys = ", ".join(counted.keys)
    cursor.execute(f"DELETE FROM {counted.table}")
    cursor.execute(f"INSERT INTO {counted.table} ({keys}, n) SELECT {keys}, n FROM ({counted.recount}) fresh")


def _installed(connection: Any) -> set[str]:
    with connection.cursor() as cursor:
        return set(_names(connection, cursor))


def _names(connection: Any, cursor: Any) -> dict[str, str]:
    """The tables of our triggers by the trigger's name."""
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE NOT t.tgisinternal AND n.nspname = current_schema() AND t.tgname LIKE %s",
            [f"{PREFIX}%"],
        )
    else:
        cursor.execute(
            "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s", [f"{PREFIX}%"]
        )
    return {str(name): str(table) for name, table in cursor.fetchall()}


def _drop(connection: Any, cursor: Any) -> None:
    for name, table in _names(connection, cursor).items():
        if connection.vendor == "postgresql":
            cursor.execute(f"DROP TRIGGER {name} ON {table}")
            cursor.execute(f"DROP FUNCTION IF EXISTS {name}()")
        else:
            cursor.execute(f"DROP TRIGGER {name}")


def _triggers(counted: Counted, vendor: str) -> list[tuple[str, list[str]]]:
    """Name and statements of each trigger; the name ends with a hash of them, so that changed ones are made anew."""
    triggers = []
    for index, watch in enumerate(counted.watches):
        for event in watch.events:
            make = _postgresql if vendor == "postgresql" else _sqlite
            template = make(counted, watch, event)
            digest = hashlib.sha256("".join(template).encode()).hexdigest()[:8]
            # PostgreSQL fires triggers by name: the order of the registry is the order of locks.
            name = f"{PREFIX}{REGISTRY.index(counted)}{index}_{event}_{digest}"
            triggers.append((name, [statement.replace("{name}", name) for statement in template]))
    return triggers


def _postgresql(counted: Counted, watch: Watch, event: str) -> list[str]:
    """One trigger a statement, over all of its rows at once."""
    columns = ", ".join(watch.columns)
    now, before = f"SELECT {columns}, 1 AS sign FROM added", f"SELECT {columns}, -1 AS sign FROM removed"
    tables = {"insert": "NEW TABLE AS added", "delete": "OLD TABLE AS removed"}
    tables["update"] = f"{tables['delete']} {tables['insert']}"
    signed = {"insert": now, "delete": before, "update": f"{now} UNION ALL {before}"}[event]
    keys = ", ".join(counted.keys)
    # Ordered, so that two transactions take the rows' locks in one order.
    body = (
        f"INSERT INTO {counted.table} ({keys}, n) "
        f"SELECT {keys}, SUM(n) FROM ({watch.deltas.format(signed=f'({signed})')}) deltas "
        f"GROUP BY {keys} HAVING SUM(n) <> 0 ORDER BY {keys} "
        f"ON CONFLICT ({keys}) DO UPDATE SET n = {counted.table}.n + EXCLUDED.n;"
    )
    return [
        f"CREATE FUNCTION {{name}}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$",
        f"CREATE TRIGGER {{name}} AFTER {event.upper()} ON {watch.table} REFERENCING {tables[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {{name}}()",
    ]


def _sqlite(counted: Counted, watch: Watch, event: str) -> list[str]:
    """One trigger a row. Not an upsert: an outer INSERT OR IGNORE would decide over its conflicts."""
    now = "SELECT " + ", ".join(f"NEW.{column} AS {column}" for column in watch.columns) + ", 1 AS sign"
    before = "SELECT " + ", ".join(f"OLD.{column} AS {column}" for column in watch.columns) + ", -1 AS sign"
    signed = {"insert": now, "delete": before, "update": f"{now} UNION ALL {before}"}[event]
    keys = ", ".join(counted.keys)
    deltas = watch.deltas.format(signed=f"({signed})")
    sums = f"SELECT {keys}, SUM(n) AS n FROM ({deltas}) GROUP BY {keys} HAVING SUM(n) <> 0"
    same = " AND ".join(f"{counted.table}.{key} = d.{key}" for key in counted.keys)
    of = f" OF {', '.join(watch.columns)}" if event == "update" else ""
    return [
        f"CREATE TRIGGER {{name}} AFTER {event.upper()}{of} ON {watch.table} FOR EACH ROW BEGIN "
        f"INSERT INTO {counted.table} ({keys}, n) SELECT {keys}, 0 FROM ({sums}) AS d "
        f"WHERE NOT EXISTS (SELECT 1 FROM {counted.table} WHERE {same}); "
        f"UPDATE {counted.table} SET n = {counted.table}.n + d.n FROM ({sums}) AS d WHERE {same}; END"
    ]
