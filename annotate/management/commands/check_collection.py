"""`manage.py check_collection COLLECTION [--fix] [--json]`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotate.consistency import check
from ingest.errors import KomaError
from ingest.management.commands.backup import find

SHOWN_MAX = 200


class Command(BaseCommand):
    """Look whether a collection's counters, names, keys, files and history fit together; exit code 1 where not."""

    help = "Check that counters, names, keys, files and the history of a collection are consistent; --fix repairs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("collection", metavar="COLLECTION", help="its name or its number")
        parser.add_argument("--fix", action="store_true", help="repair what can be repaired without guessing")
        parser.add_argument("--json", action="store_true", help="all faults as JSON")

    def handle(self, *_: Any, **options: Any) -> None:
        collection = find(options["collection"])
        try:
            faults = check(collection, fix=options["fix"])
        except KomaError as error:
            raise CommandError(error.message) from None
        left = sum(not fault.mended for fault in faults)
        if options["json"]:
            body = {"collection": collection.pk, "ok": not left, "faults": [asdict(fault) for fault in faults]}
            self.stdout.write(json.dumps(body, ensure_ascii=False))
        else:
            for fault in faults[:SHOWN_MAX]:
                place = f"{fault.row}: " if fault.row else ""
                self.stdout.write(f"{fault.check}: {place}{fault.words}{' (repaired)' if fault.mended else ''}")
            if len(faults) > SHOWN_MAX:
                self.stdout.write(f"... and {len(faults) - SHOWN_MAX:,} more; --json lists all.")
            mended = len(faults) - left
            self.stdout.write(f"{collection.name}: {left:,} faults" + (f", {mended:,} repaired" if mended else ""))
        if left:
            raise SystemExit(1)
