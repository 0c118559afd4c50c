"""`manage.py reread_dataset DIR`: what a person changed by moving pictures between the folders of a dataset."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from export.readback import applying, comparing
from export.readback.comparing import Moved, Open
from export.readback.correct_files import correct_files
from ingest import humane
from ingest.algorithms.typed_lists import ListError, decode_text, typed_list
from ingest.errors import BadInput, KomaError
from ingest.models import Collection


class Command(BaseCommand):
    """Show the moved pictures; on request correct their files, and the collection they came from."""

    help = (
        "Import the folder changes of a dataset. Lists moved pictures; --write and --apply act on them. The exit "
        "code is 0 only when nothing was refused and nothing stays open."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, metavar="DIR")
        parser.add_argument("--format", default="", metavar="'*/character/*'", help="levels, read from right to left")
        parser.add_argument("--characters", type=Path, metavar="FILE", help="known names, by comma or line")
        parser.add_argument("--write", action="store_true", help="correct the JSON and captions of moved pictures")
        parser.add_argument("--apply", metavar="COLLECTION", help="name the faces of this collection by the folders")
        parser.add_argument("--json", action="store_true", help="one JSON object with every picture instead of text")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            result = _reread(options)
        except KomaError as error:
            raise CommandError(error.message) from error
        except (Collection.DoesNotExist, Collection.MultipleObjectsReturned) as error:
            raise CommandError(f"{options['apply']}: {error}") from error
        except OSError as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result, ensure_ascii=False))
        else:
            self._show(result)
        if result["open"]:
            sys.exit(1)

    def _show(self, result: dict[str, Any]) -> None:
        for row in result["moved"]:
            new = f" (new: {', '.join(row['new'])})" if row["new"] else ""
            self.stdout.write(f"{row['path']}: {_list(row['before'])} -> {_list(row['now'])}{new}")
        for row in result["apart"]:
            self.stdout.write(f"{row['path']}: belongs to {row['to']}")
        self.stdout.write(
            f"{len(result['moved']):,} moved, {result['unchanged']:,} unchanged, {result['elsewhere']:,} in other "
            f"folders with the same meaning, {len(result['gone']):,} missing"
        )
        if "corrected" in result:
            self.stdout.write(
                f"{result['corrected']:,} pictures corrected in the folder, {result['attached']:,} files moved to them"
            )
        if "named" in result:
            self.stdout.write(
                f"{humane.count(result['named'], 'face')} named, {result['unnamed']:,} unnamed, "
                f"{result['placed']:,} names of pictures without a face changed"
            )
        for row in result["open"]:
            self.stdout.write(f"open: {row['path']}: {row['reason']}")


def _reread(options: dict[str, Any]) -> dict[str, Any]:
    """Read, and write or apply as asked; everything that came of it."""
    folder: Path = options["folder"]
    collection = Collection.objects.get(name=options["apply"]) if options["apply"] else None
    comparison = comparing.read_back(folder, format_text=options["format"], known=_names(options["characters"]))
    open_ = list(comparison.open)
    result: dict[str, Any] = {
        "moved": [_row(row) for row in comparison.moved],
        "apart": [{"path": row.path, "to": row.to} for row in comparison.misplaced],
        "unchanged": comparison.unchanged,
        "elsewhere": comparison.elsewhere,
        "gone": list(comparison.gone),
    }
    if options["write"]:
        corrected = correct_files(folder, comparison)
        open_ += corrected.open
        result |= {"corrected": corrected.corrected, "attached": corrected.attached}
    if collection is not None:
        applied = applying.apply(collection=collection, moved=comparison.moved, by=None)
        open_ += applied.open
        result |= {"named": applied.named, "unnamed": applied.unnamed, "placed": applied.placed}
    return {"ok": not open_} | result | {"open": [_open(row) for row in dict.fromkeys(open_)]}


def _row(row: Moved) -> dict[str, Any]:
    return {"path": row.path, "before": list(row.before), "now": list(row.now), "new": list(row.new)}


def _open(row: Open) -> dict[str, str]:
    return {"path": row.path, "reason": row.reason}


def _names(path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return typed_list(decode_text(path.read_bytes()))
    except ListError as error:
        raise BadInput(f"{path}: {error.message}.") from error


def _list(names: list[str]) -> str:
    return " + ".join(names) or "nobody known"
