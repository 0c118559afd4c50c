"""`manage.py backup COLLECTION FILE`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import humane
from ingest.backup.write import write
from ingest.errors import KomaError
from ingest.models import Collection


class Command(BaseCommand):
    """Write a collection with its history and files to one file."""

    help = "Write a collection (rows, history, pictures, uploaded films) to a zip file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("collection", metavar="COLLECTION", help="its name or its number")
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--without-sources", action="store_true", help="leave out uploaded films and zips")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            done = write(
                collection=find(options["collection"]),
                target=options["file"].absolute(),
                with_sources=not options["without_sources"],
            )
        except KomaError as error:
            raise CommandError(error.message) from None
        rows, files = humane.count(done.rows, "row"), humane.count(done.files, "file")
        self.stdout.write(f"{rows} and {files}, {humane.filesize(done.size_bytes)}: {options['file']}")
        for name in done.missing:
            self.stderr.write(f"Missing, so not in the backup: {name}")
        if done.missing:
            raise CommandError(
                f"The backup lacks {humane.count(len(done.missing), 'file')} missing from the data folder. Put them "
                "back and run this again, or keep it as it is."
            )


def find(text: str) -> Collection:
    """By name, else by number. Raises CommandError."""
    rows = list(Collection.objects.filter(name=text)[:2])
    if not rows and text.isascii() and text.isdigit():
        rows = list(Collection.objects.filter(pk=int(text)))
    if not rows:
        names = ", ".join(f"{row.name} ({row.pk})" for row in Collection.objects.all()[:20])
        raise CommandError(f"There is no collection {text!r}. There are: {names or 'none'}.")
    if len(rows) > 1:
        raise CommandError(f"Several collections are called {text!r}; give the number instead.")
    return rows[0]
