"""A migrated database that the test processes of one run share, so that only the first of them runs the migrations."""

from __future__ import annotations

import fcntl
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connection
from django.test.utils import setup_databases

from project.new_site import create_tables

NAME = "test_koma_migrated"


def create(shared: Path) -> Any:
    """Create the test database of this process; `shared` is a folder of this run that all its processes see. Returns
    what Django takes to remove it."""
    with (shared / f"{NAME}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        return _on_sqlite(shared) if connection.vendor == "sqlite" else _on_postgresql(shared)


def put_into(data_dir: Path, shared: Path) -> None:
    """Give a data folder that does not exist yet the tables of today, so that a process which the test starts on it
    finds no migration to run. Only after `create`, and only where that was SQLite: elsewhere does nothing."""
    migrated = shared / f"{NAME}.sqlite3"
    if migrated.exists():
        data_dir.mkdir(parents=True, mode=0o700)
        _copy(migrated, data_dir / "koma.sqlite3")


def _on_sqlite(shared: Path) -> Any:
    migrated, name = shared / f"{NAME}.sqlite3", connection.settings_dict["TEST"]["NAME"]
    if migrated.exists():
        _copy(migrated, name)
        return setup_databases(verbosity=0, interactive=False, serialized_aliases=(), keepdb=True)
    # As a new site gets its tables, in a thirtieth of the time; that migrations make the same has a test of its own.
    assert create_tables()
    connection.close()
    _copy(connection.settings_dict["NAME"], name)
    databases = setup_databases(verbosity=0, interactive=False, serialized_aliases=(), keepdb=True)
    partial = shared / f"{NAME}.partial"
    _copy(name, partial)
    partial.rename(migrated)
    return databases


def _copy(source: Path | str, target: Path | str) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _on_postgresql(shared: Path) -> Any:
    is_migrated = shared / f"{NAME}.postgresql"
    if is_migrated.exists():
        connection.settings_dict["TEST"]["TEMPLATE"] = NAME
        return setup_databases(verbosity=0, interactive=False, serialized_aliases=())
    databases = setup_databases(verbosity=0, interactive=False, serialized_aliases=())
    name = connection.settings_dict["NAME"]
    connection.close()  # a database that is in use cannot be copied
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'DROP DATABASE IF EXISTS "{NAME}"')
        cursor.execute(f'CREATE DATABASE "{NAME}" TEMPLATE "{name}"')
    is_migrated.touch()
    return databases
