"""`manage.py demo_episode`: the collection Demo, whose run draws its own episode."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ingest.errors import KomaError
from ingest.models import RunState
from project import demo

NICENESS = 5


class Command(BaseCommand):
    """Start the run that draws and ingests the demo episode."""

    requires_system_checks = ()  # they import every page
    help = "Create the collection 'Demo' and start its run, which draws an episode of 40 seconds. Workers do the rest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="print the run's stages until it ends")

    def handle(self, *_: Any, **options: Any) -> None:
        os.nice(NICENESS)  # the page comes first
        try:
            run = demo.start()
            self._report("The collection Demo is being drawn and ingested; its page shows the progress:")
        except KomaError as problem:
            raise CommandError(problem.message) from None
        if options["follow"]:
            state = demo.follow(run, report=self._report)
            if state not in (None, RunState.DONE):
                raise CommandError(f"The demo's run ended as {state}; its page says why.")

    def _report(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
