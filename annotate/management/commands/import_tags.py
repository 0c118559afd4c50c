"""`manage.py import_tags CSV`: load or update the tag vocabulary."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions.vocabulary import import_file
from ingest.errors import KomaError

PROBLEMS_SHOWN = 20


class Command(BaseCommand):
    """Report each bad row by its number; the others are imported."""

    help = "Load a tag vocabulary: a CSV of name,category,count,aliases (categories as Danbooru numbers them)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("csv", type=Path, help="the CSV file, without or with a header")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            report = import_file(options["csv"])
        except KomaError as error:
            raise CommandError(error.message) from error
        for problem in report.problems[:PROBLEMS_SHOWN]:
            self.stderr.write(problem)
        if len(report.problems) > PROBLEMS_SHOWN:
            self.stderr.write(f"... and {len(report.problems) - PROBLEMS_SHOWN:,} more problems")
        self.stdout.write(
            f"{report.tags:,} tags ({report.new:,} new) and {report.aliases:,} aliases in "
            f"{time.monotonic() - started:.1f} s; {len(report.problems):,} problems"
        )
        if report.refused:
            raise CommandError(
                f"{report.refused:,} rows could not be read and were left out; all others are imported. Fix them in "
                "the file and run this again."
            )
