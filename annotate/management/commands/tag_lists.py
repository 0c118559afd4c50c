"""`manage.py tag_lists COLLECTION`: the lists by which tags are dropped, without a browser."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotate.actions import tag_lists
from annotate.actions.tag_lists import Kind
from annotate.backends.taggers import filter_lists
from ingest import humane
from ingest.errors import KomaError
from ingest.management.commands.backup import find


class Command(BaseCommand):
    """Without an option it shows what counts."""

    help = "Show, set or remove a collection's lists of implied and of unwanted tags."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("collection", metavar="COLLECTION", help="its name or its number")
        parser.add_argument(
            "--included", type=Path, metavar="JSON", help='use this list of implied tags: {"hair": ["long hair"]}'
        )
        parser.add_argument("--unwanted", type=Path, metavar="TXT", help="use this list of unwanted tags, one per line")
        parser.add_argument(
            "--none", action="append", choices=Kind.values, default=[],
            help="use no list of the collection of this kind any more; the installed one counts, if there is one",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        collection = find(options["collection"])
        try:
            for word in options["none"]:
                tag_lists.use(collection=collection, kind=tag_lists.kind_of(word), key=None, by=None)
            for kind in Kind:
                path: Path | None = options[kind.value]
                if path is not None:
                    data = filter_lists.read_file(path)
                    _, notes = tag_lists.add(collection=collection, kind=kind, name=path.name, data=data, by=None)
                    for note in notes:
                        self.stderr.write(f"{path.name}: {note}")
        except KomaError as error:
            raise CommandError(error.message) from None
        for kind_lists in tag_lists.lists_by_kind(collection):
            if kind_lists.used is not None:
                self.stdout.write(
                    f"{kind_lists.kind.label}: {kind_lists.used.name}, {humane.count(kind_lists.used.tags, 'tag')}"
                )
            else:
                installed = f"{kind_lists.installed} (installed)" if kind_lists.installed else "no list"
                self.stdout.write(f"{kind_lists.kind.label}: {installed}")
