"""`manage.py restore FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.backup.read import restore
from ingest.errors import KomaError


class Command(BaseCommand):
    """Create a collection from a backup."""

    help = "Create a new collection from a backup; nothing else is changed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--name", default="", help="a different name for the collection")
        parser.add_argument(
            "--owner", default="", help="who becomes its admin (default: the first admin of this server)"
        )
        parser.add_argument(
            "--trust-paths",
            action="store_true",
            help="keep paths outside KOMA_LIBRARY_DIRS (only for your own backups)",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        users = get_user_model().objects.filter(is_active=True)
        owner = (
            users.filter(username=options["owner"]).first()
            if options["owner"]
            else users.filter(is_superuser=True).order_by("pk").first()
        )
        if owner is None:
            raise CommandError(
                f"There is no active account named {options['owner']!r}, so nothing was restored."
                if options["owner"]
                else "There is no site admin yet to own the collection, so nothing was restored. Create one "
                "(manage.py create_admin NAME), or name an account with --owner."
            )
        try:
            done = restore(
                source=options["file"].absolute(), owner=owner, name=options["name"], trust_paths=options["trust_paths"]
            )
        except KomaError as error:
            raise CommandError(error.message) from None
        self.stdout.write(
            f"{done.collection.name} (number {done.collection.pk}): {done.rows:,} rows, {done.files:,} files; "
            f"{owner.get_username()} is its admin."
        )
        for note in done.notes:
            self.stderr.write(note)
