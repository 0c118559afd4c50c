"""`manage.py evaluate KIND DIR`: measure an installed model on anybody's pictures, or on a collection's own truth."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from annotate.evaluation.kinds import KINDS, Kind
from annotate.evaluation.on_collection.kinds import OWN_KINDS, OwnKind
from annotate.evaluation.on_collection.progress import Silent
from annotate.evaluation.scores import Scores
from ingest.errors import BadInput, KomaError
from ingest.management.commands.backup import find


class Command(BaseCommand):
    """Prints a few lines to read, or one JSON line with --json."""

    help = "Measure an installed model on a folder of pictures with known labels, or on a collection's reviewed labels."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = [*KINDS, *(name for name in OWN_KINDS if name not in KINDS)]
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="|".join(names))
        for name in names:
            kind, own_kind = KINDS.get(name), OWN_KINDS.get(name)
            about: Kind | OwnKind = kind or OWN_KINDS[name]
            kind_parser = kinds.add_parser(name, help=f"{about.about} ({kind.folder if kind else 'a collection'})")
            if kind is not None:
                kind_parser.add_argument(
                    "folder", type=Path, metavar="DIR", nargs="?" if own_kind else None, help=kind.folder
                )
            if own_kind is not None:
                kind_parser.add_argument(
                    "--collection", required=kind is None, metavar="NAME|NUMBER",
                    help="instead of DIR: measure on the reviewed labels of this collection",
                )  # fmt: skip
                if own_kind.compares:
                    kind_parser.add_argument("--second", required=True, help="the model that it is compared with")
            models = ", ".join(about.own_models)
            kind_parser.add_argument(
                "--model", default=about.default_model, help=f"{models}, or one in KOMA_MODELS_DIR by its name"
            )
            for option in about.options:
                kind_parser.add_argument(
                    f"--{option.name}", type=option.parse, default=option.default, help=option.help
                )
            kind_parser.add_argument("--json", action="store_true", help="one JSON line on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scores = _measured(options)
        except KomaError as error:
            raise CommandError(error.message) from error
        for note in scores.notes():
            self.stderr.write(note)
        self.stdout.write(json.dumps(scores.as_json()) if options["json"] else "\n".join(scores.lines()))


def _measured(options: dict[str, Any]) -> Scores:
    name, folder = options.get("collection"), options.get("folder")
    if name is not None and folder is not None:
        raise BadInput("Give either a folder or a collection, not both.")
    if folder is not None:
        return KINDS[options["kind"]].run(folder, settings.KOMA_MODELS_DIR, options)
    if name is None:
        raise BadInput("Give a folder or, with --collection, a collection.")
    return OWN_KINDS[options["kind"]].run(find(name), settings.KOMA_MODELS_DIR, options, Silent())
