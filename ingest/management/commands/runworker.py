"""`manage.py runworker QUEUE...`: one worker process for the named queues."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from redis.exceptions import RedisError

from ingest import worker


class Command(BaseCommand):
    """Take jobs from RQ queues. The queue gpu runs in one process that keeps its models."""

    requires_system_checks = ()  # they import every page, which no worker shows
    help = "Take jobs from queues: cpu, gpu, io, export. The first queue is emptied first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queues", nargs="+", metavar="QUEUE")
        parser.add_argument("--burst", action="store_true", help="stop when the queues are empty")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            worker.run(options["queues"], burst=options["burst"])
        except ValueError as wrong:
            raise CommandError(str(wrong)) from None
        except RedisError as gone:
            raise CommandError(f"Redis cannot be reached ({gone}). Is it running, and is REDIS_URL right?") from None
