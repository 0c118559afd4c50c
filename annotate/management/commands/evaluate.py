"""`manage.py evaluate KIND DIR`: measure an installed model on anybody's pictures."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate.evaluation.kinds import KINDS
from ingest.errors import KomaError


class Command(BaseCommand):
    """Prints a few lines to read, or one JSON line with --json."""

    help = "Measure an installed model on a folder of pictures whose truth is known."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="|".join(KINDS))
        for kind in KINDS.values():
            one = kinds.add_parser(kind.name, help=f"{kind.about} ({kind.folder})")
            one.add_argument("folder", type=Path, metavar="DIR", help=kind.folder)
            models = ", ".join(kind.own_models)
            one.add_argument(
                "--model", default=kind.default_model, help=f"{models}, or one in KOMA_MODELS_DIR by its name"
            )
            for option in kind.options:
                one.add_argument(f"--{option.name}", type=option.parse, default=option.default, help=option.help)
            one.add_argument("--json", action="store_true", help="one JSON line on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        kind = KINDS[options["kind"]]
        try:
            scores = kind.run(options["folder"], settings.KOMA_MODELS_DIR, options)
        except KomaError as error:
            raise CommandError(error.message) from error
        for note in scores.notes():
            self.stderr.write(note)
        self.stdout.write(json.dumps(scores.as_json()) if options["json"] else "\n".join(scores.lines()))
