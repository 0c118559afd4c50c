"""`manage.py sweep_store`: delete files of the store that no row refers to, or only count them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest import humane
from ingest.storage import forgotten_files
from ingest.storage.stored_files import store


class Command(BaseCommand):
    """Check the whole store at once; workers check a part of it every hour."""

    help = "Delete stored pictures and crops that nothing refers to any more (workers also do so bit by bit)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count them")
        parser.add_argument(
            "--hours", type=float, default=forgotten_files.AGE_MIN_S / 3600,
            help="keep what was written in the last HOURS (default: %(default)s); use 0 only while nothing runs",
        )  # fmt: skip

    def handle(self, *_: Any, **options: Any) -> None:
        dry_run, age_s = options["dry_run"], 3600 * max(0.0, options["hours"])
        with forgotten_files.sweep_lock() as place:
            if place is None:
                raise CommandError("A worker is sweeping the store right now. Try again in a minute.")
            swept = forgotten_files.sweep_from(store(), age_s=age_s, dry_run=dry_run)
        size = humane.filesize(swept.size)
        outcome = "would be deleted" if dry_run else "deleted"
        files, unused = humane.count(swept.seen, "stored file"), humane.count(swept.forgotten, "unreferenced file")
        self.stdout.write(f"{files} checked; {unused} ({size}) {outcome}.")
