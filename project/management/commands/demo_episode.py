"""`manage.py demo_episode`: draw the demo episode and ingest it into a collection of its own."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.errors import KomaError
from ingest.models import RunState
from project import demo

NICENESS = 5


class Command(BaseCommand):
    """Draw and ingest the demo episode; without --follow it only starts the run."""

    help = "Draw the demo episode (about a minute of film) and start its run in the collection 'Demo'."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="print the run's stages until it ends")

    def handle(self, *_: Any, **options: Any) -> None:
        os.nice(NICENESS)  # the page comes first
        try:
            run = demo.start(report=self._report)
        except KomaError as problem:
            raise CommandError(problem.message) from None
        if options["follow"]:
            demo.follow(run, report=self._report)
            if run.state != RunState.DONE:
                raise CommandError(f"The demo's run ended as {run.state}; its page says why.")

    def _report(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
