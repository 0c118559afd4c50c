"""`manage.py build_dataset VIDEO_OR_FOLDER... --collection NAME --out DIR`: everything in one process, for scripts."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from export import headless
from export.recipe import Recipe, RecipeError, parse_text
from ingest.errors import KomaError


class Command(BaseCommand):
    """Films and folders in, a balanced and captioned data set out, without browser, Redis or workers."""

    help = "Run all stages over films, zips or folders of pictures in this process and write the data set."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("inputs", nargs="+", type=Path, metavar="VIDEO_OR_FOLDER")
        parser.add_argument("--collection", required=True, metavar="NAME", help="made when there is none of this name")
        parser.add_argument(
            "--out", required=True, type=Path, metavar="DIR", help="an older data set there is replaced"
        )
        parser.add_argument("--references", type=Path, metavar="DIR", help="a folder of face pictures a character")
        parser.add_argument("--recipe", type=Path, metavar="FILE", help=".toml or .json, as the export page saves it")
        parser.add_argument("--min-faces", type=int, metavar="N", help="fewest faces of a picture (default: 1)")
        parser.add_argument(
            "--name-clusters", action="store_true", help="unnamed clusters as cluster_01... instead of others"
        )
        parser.add_argument("--json", action="store_true", help="one JSON line last on standard output")

    def handle(self, *_: Any, **options: Any) -> None:
        recipe = _recipe(options)
        references = options["references"]
        if references is not None and not references.is_dir():
            raise CommandError(f"{references}: there is no such folder of references.")
        call_command("migrate", verbosity=0, interactive=False)
        try:
            outcome = headless.build_dataset(
                options["inputs"],
                collection_name=options["collection"],
                out=options["out"],
                recipe=recipe,
                references=references,
                say=lambda text: self.stderr.write(text, self.style.NOTICE),
            )
        except KomaError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(outcome.as_dict(), ensure_ascii=False))
        else:
            self._summary(outcome)
        if not outcome.ok:
            sys.exit(1)

    def _summary(self, outcome: headless.Outcome) -> None:
        counts = outcome.counts
        lines = [f"{outcome.collection}:"]
        lines.append(
            f"  {counts['decoded']:,} pictures decoded, {counts['frames']:,} distinct, {counts['kept']:,} kept, "
            f"{counts['with_faces']:,} with faces, {counts['named']:,} of {counts['faces']:,} faces named"
        )
        if "exported" in counts:
            lines.append(
                f"  {counts['exported']:,} pictures in {counts['folders']:,} folders at {outcome.out}, "
                f"an epoch of {counts['epoch']:,}"
            )
            for passes, count in counts["upscaled"].items():
                lines.append(f"  {count:,} upscaled in {passes} pass{'' if passes == '1' else 'es'}")
            lines += [f"  left out: {count:,} {reason}" for reason, count in counts["left_out"].items()]
        lines.append("  seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in outcome.seconds.items()))
        lines += [f"  note: {text}" for text in outcome.warnings]
        lines += [f"  NOT USED {entry.path}: {entry.reason}" for entry in outcome.inputs if not entry.ok]
        if outcome.error:
            lines.append(f"  NOT WRITTEN: {outcome.error}")
        for line in lines:
            self.stdout.write(line)


def _recipe(options: dict[str, Any]) -> Recipe:
    path: Path | None = options["recipe"]
    recipe = Recipe()
    if path is not None:
        if path.suffix.lower() not in (".toml", ".json"):
            raise CommandError(f"{path}: a recipe is a .toml or .json file.")
        try:
            recipe = parse_text(path.read_text("utf-8"), kind="toml" if path.suffix.lower() == ".toml" else "json")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: the recipe cannot be read ({error}).") from error
        except RecipeError as error:
            raise CommandError(f"{path}: {error}") from error
    try:
        if options["min_faces"] is not None:
            recipe = replace(recipe, selection=replace(recipe.selection, min_faces=options["min_faces"]))
    except ValueError as error:
        raise CommandError(f"--min-faces: {error}") from error
    if options["name_clusters"]:
        recipe = replace(recipe, arrange=replace(recipe.arrange, name_clusters=True))
    return recipe
