"""`manage.py reread_dataset DIR`: what a person changed by moving pictures between the folders of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from export import rereading
from export.actions import reread
from ingest.errors import KomaError
from ingest.models import Collection


class Command(BaseCommand):
    """Show the moved pictures; on request correct their files, and the collection they came from."""

    help = "Read a re-sorted data set back. Shows what was moved; --write and --apply do something about it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument("--format", default="", metavar="'*/character/*'", help="levels, read from right to left")
        parser.add_argument("--characters", type=Path, metavar="FILE", help="known names, by comma or line")
        parser.add_argument("--write", action="store_true", help="correct the JSON and captions of moved pictures")
        parser.add_argument("--apply", metavar="COLLECTION", help="name the faces in this collection accordingly")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            known = _names(options["characters"])
            found = rereading.read_back(options["folder"], format_text=options["format"], known=known)
            for one in found.moved:
                said = one.problem or f"{_list(one.before)} -> {_list(one.now)}"
                self.stdout.write(f"{one.path}: {said}")
            self.stdout.write(
                f"{len(found.moved):,} moved, {found.unchanged:,} as they were, {len(found.gone):,} gone, "
                f"{len(found.unknown):,} not of this data set"
            )
            if options["write"]:
                count = rereading.correct_files(options["folder"], found.moved)
                self.stdout.write(f"{count:,} pictures corrected in the folder")
            if options["apply"]:
                collection = Collection.objects.get(name=options["apply"])
                applied = reread.apply(collection=collection, moved=found.moved, by=None)
                self.stdout.write(f"{applied.named:,} faces named, {applied.unnamed:,} made unknown")
                for line in applied.open:
                    self.stdout.write(f"open: {line}")
        except KomaError as error:
            raise CommandError(error.message) from error
        except (Collection.DoesNotExist, Collection.MultipleObjectsReturned) as error:
            raise CommandError(f"{options['apply']}: {error}") from error
        except OSError as error:
            raise CommandError(str(error)) from error


def _names(path: Path | None) -> list[str]:
    if path is None:
        return []
    return [name.strip() for name in path.read_text("utf-8").replace("\n", ",").split(",") if name.strip()]


def _list(names: tuple[str, ...]) -> str:
    return " + ".join(names) or "nobody known"
