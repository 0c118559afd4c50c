"""`manage.py demo_episode`: draw the demo episode and ingest it into a collection of its own."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from project import demo


class Command(BaseCommand):
    """Draw and ingest the demo episode; without --follow it only starts the run."""

    help = "Draw the demo episode (about a minute of film) and start its run in the collection 'Demo'."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--follow", action="store_true", help="tell about the run's stages until it ends")

    def handle(self, *_: Any, **options: Any) -> None:
        run = demo.start(say=self._say)
        if options["follow"]:
            demo.follow(run, say=self._say)

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
