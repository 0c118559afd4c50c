"""`manage.py sweep_store`: delete files of the store that no row names, or only say how many there are."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import humane
from ingest.storage import forgotten_files
from ingest.storage.stored_files import store


class Command(BaseCommand):
    """Look at the whole store at once; workers do the same bit by bit, every hour."""

    help = "Delete stored pictures and crops that nothing names any more (workers do it bit by bit as well)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")
        parser.add_argument(
            "--hours", type=float, default=forgotten_files.AGE_MIN_S / 3600,
            help="leave alone what was written in the last HOURS (default: %(default)s); 0 only while nothing runs",
        )  # fmt: skip

    def handle(self, *_: Any, **options: Any) -> None:
        dry_run, age_s = options["dry_run"], 3600 * max(0.0, options["hours"])
        with forgotten_files.alone() as place:
            if place is None:
                raise CommandError("A worker is sweeping the store just now. Try again in a minute.")
            swept = forgotten_files.sweep_from(store(), age_s=age_s, dry_run=dry_run)
        size = humane.filesize(swept.size)
        outcome = "would be deleted" if dry_run else "were deleted"
        self.stdout.write(
            f"{swept.seen:,} stored files looked at; {swept.forgotten:,} that nothing names ({size}) {outcome}."
        )
