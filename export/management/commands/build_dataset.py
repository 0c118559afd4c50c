"""`manage.py build_dataset VIDEO_OR_FOLDER... --collection NAME --out DIR`: everything in one process, for scripts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from export import recipe_text
from export.build import without_browser, without_browser_config
from export.build.without_browser_config import Config, InputConfig
from ingest import humane
from ingest.actions import sources
from ingest.errors import BadInput, KomaError
from ingest.models import ImageType

ABOUT = {
    "series": "series name",
    "season": "season number",
    "number": "episode number, such as 04, 12.5 or OVA1",
    "title": "episode title",
    "image_type": ", ".join(ImageType.values),
    "licence_note": "what may be done with the pictures",
    "rating_scheme": "what single letters mean as ratings",
}


class Command(BaseCommand):
    """Films and folders in, a balanced and captioned dataset out, without browser, Redis or workers."""

    help = (
        "Run all stages over films, zips or folders of pictures in this process and write the dataset. The exit code "
        "is 0 only if every input worked, with all of its files."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("inputs", nargs="*", type=Path, metavar="VIDEO_OR_FOLDER")
        parser.add_argument(
            "--config", type=Path, metavar="FILE", help=".toml or .json: the options below, also per input"
        )
        parser.add_argument("--collection", metavar="NAME", help="created if none has this name")
        parser.add_argument("--out", type=Path, metavar="DIR", help="an older dataset there is replaced")
        parser.add_argument("--references", type=Path, metavar="DIR", help="a folder of face pictures per character")
        parser.add_argument("--recipe", type=Path, metavar="FILE", help=".toml or .json, as the export page saves it")
        for name, words in ABOUT.items():
            parser.add_argument(f"--{name.replace('_', '-')}", metavar="TEXT", help=words)
        parser.add_argument("--not-exportable", action="store_true", help="the inputs' pictures stay out of datasets")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="TASK=NAME",
            help="use this model from now on (repeatable)",
        )
        parser.add_argument("--stage", action="append", default=[], metavar="NAME", help="only these stages run")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="WHERE.SETTING=VALUE",
            help="of a stage, or of the recipe's sections",
        )
        parser.add_argument(
            "--keep-settings", action="store_true", help="save the settings as the collection's defaults"
        )
        parser.add_argument("--min-faces", type=int, metavar="N", help="minimum faces per picture (default: 1)")
        parser.add_argument(
            "--name-clusters", action="store_true", help="unnamed clusters as cluster_01... instead of others"
        )
        parser.add_argument("--json", action="store_true", help="one JSON line at the end of standard output")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            config = _config(options)
            call_command("migrate", verbosity=0, interactive=False)
            outcome = without_browser.build_dataset(
                config, report=lambda text: self.stderr.write(text, self.style.NOTICE)
            )
        except KomaError as error:
            raise CommandError(error.message) from error
        if options["json"]:
            self.stdout.write(json.dumps(outcome.as_dict(), ensure_ascii=False))
        else:
            self._summary(outcome)
        if not outcome.ok:
            sys.exit(1)

    def _summary(self, outcome: without_browser.Outcome) -> None:
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
                lines.append(f"  {count:,} upscaled in {humane.count(int(passes), 'pass', 'passes')}")
            lines += [f"  left out: {count:,} {reason}" for reason, count in counts["left_out"].items()]
        lines.append("  seconds: " + ", ".join(f"{name} {value:.1f}" for name, value in outcome.seconds.items()))
        lines += [f"  note: {text}" for text in outcome.warnings]
        for entry in outcome.inputs:
            if entry.reason:
                lines.append(f"  NOT USED {entry.path}: {entry.reason}")
            lines += [f"  REFUSED {entry.path}: {row['file']}: {row['reason']}" for row in entry.refused]
            if entry.refused_count > len(entry.refused):
                lines.append(f"  REFUSED {entry.path}: {entry.refused_count - len(entry.refused):,} more files")
        if outcome.refused_file:
            lines.append(f"  all refused files: {outcome.refused_file}")
        if outcome.error:
            lines.append(f"  NOT WRITTEN: {outcome.error}")
        for line in lines:
            self.stdout.write(line)


def _config(options: dict[str, Any]) -> Config:
    """The config file with the options laid over it. Raises BadInput for what cannot be."""
    config = without_browser_config.read(options["config"]) if options["config"] else Config()
    config.inputs += [InputConfig(path) for path in options["inputs"]]
    config.collection = options["collection"] or config.collection
    config.out = options["out"] or config.out
    config.references = options["references"] or config.references
    about = {name: options[name] for name in ABOUT if options[name] is not None}
    config.defaults |= sources.checked(about) | ({"exportable": False} if options["not_exportable"] else {})
    if options["recipe"]:
        config.recipe = recipe_text.read_file(options["recipe"]).as_dict()
    if options["min_faces"] is not None:
        config.recipe.setdefault("selection", {})["min_faces"] = options["min_faces"]
    if options["name_clusters"]:
        config.recipe.setdefault("arrange", {})["name_clusters"] = True
    if options["stage"]:
        config.stages = options["stage"]
    config.keep = config.keep or options["keep_settings"]
    for text in options["set"]:
        without_browser_config.option(config, text)
    for task in {text.partition("=")[0].strip() for text in options["model"]}:
        config.models.pop(task, None)  # those of the file give way
    for text in options["model"]:
        without_browser_config.model(config, text)
    if not config.collection or config.out is None or not config.inputs:
        raise BadInput("Name the inputs, --collection and --out, or a --config that holds them.")
    if config.references is not None and not config.references.is_dir():
        raise BadInput(f"{config.references}: there is no such folder of references.")
    config.parsed_recipe()
    return config
