"""Tables of an older release, for tests of what migrations make of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader


@contextmanager
def tables_of(*targets: tuple[str, str]) -> Iterator[Any]:
    """Migrate back to `targets` (app, migration) and give the models of then; at the end, or after an error, migrate to
    the newest. By the command that people use: it takes the triggers that count rows away first and makes them again,
    which the migration executor by itself does not. Only in tests with `transaction=True`."""
    try:
        for app, name in reversed(targets):
            call_command("migrate", app, name, verbosity=0)
        yield MigrationLoader(connection).project_state(list(targets)).apps
    finally:
        call_command("migrate", verbosity=0)
