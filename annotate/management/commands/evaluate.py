"""`manage.py evaluate faces|characters DIR`: measure an installed model on anybody's pictures."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from numpy.typing import NDArray

from annotate.backends import detectors
from annotate.backends.embed_builtin import BuiltinEmbedder
from annotate.evaluation import characters, faces
from ingest.errors import KomaError
from ingest.imaging.decode import UnreadablePicture, read_picture

NAMES_SHOWN = 20


def shot_counts(text: str) -> tuple[int, ...]:
    """Counts of named faces such as `1,5,10,20`."""
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no list of whole numbers such as 1,5,10,20") from None
    if not counts or min(counts) < 1:
        raise ArgumentTypeError("each number of named faces must be 1 or more")
    return counts


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number from 1")
    return int(text)


class Command(BaseCommand):
    """Prints a few lines to read, or one JSON line with --json."""

    help = "Measure an installed model on a folder of pictures whose truth is known."

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = parser.add_subparsers(dest="kind", required=True, metavar="faces|characters")
        one = kinds.add_parser("faces", help="how many faces a detector finds (pictures and a boxes.json)")
        one.add_argument("folder", type=Path, metavar="DIR")
        one.add_argument("--model", default=detectors.DEFAULT, help="builtin, or a file in KOMA_MODELS_DIR by its name")
        one.add_argument("--threads", type=positive, default=1, help="threads of one call (default 1)")
        one.add_argument("--json", action="store_true", help="one JSON line on standard output")
        two = kinds.add_parser("characters", help="how many faces are named rightly (a folder of faces a character)")
        two.add_argument("folder", type=Path, metavar="DIR")
        two.add_argument("--shots", type=shot_counts, default=(1, 5, 10, 20), help="named faces, default 1,5,10,20")
        two.add_argument("--draws", type=positive, default=20, help="random choices of the named faces, default 20")
        two.add_argument("--json", action="store_true", help="one JSON line on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["kind"] == "faces":
                self._faces(options)
            else:
                self._characters(options)
        except KomaError as error:
            raise CommandError(error.message) from error
        except (characters.EvaluationError, UnreadablePicture) as error:
            raise CommandError(str(error)) from error

    def _faces(self, options: dict[str, Any]) -> None:
        detector = detectors.open_detector(options["model"], settings.KOMA_MODELS_DIR, threads=options["threads"])
        scores = faces.measure(options["folder"], detector, open_picture=_open)
        if scores.not_listed:
            count, first = len(scores.not_listed), scores.not_listed[0]
            self.stderr.write(f"{count:,} pictures are not in boxes.json and were not measured, first {first!r}")
        if options["json"]:
            self.stdout.write(json.dumps(scores.as_json()))
            return
        self.stdout.write(
            f"{scores.model} on {scores.device}: {scores.hits_iou30} of {scores.faces} faces at IoU 0.3, "
            f"{scores.hits_iou50} at IoU 0.5, {scores.false_positives_iou30} false positives in {scores.pictures:,} "
            f"pictures, {scores.ms_per_picture:.1f} ms a picture"
        )
        for word, which in (("missed", scores.missed), ("false positives", scores.alarms)):
            for name, number in sorted(which.items(), key=lambda item: (-item[1], item[0]))[:NAMES_SHOWN]:
                self.stdout.write(f"  {word}: {number} in {name}")

    def _characters(self, options: dict[str, Any]) -> None:
        scores = characters.measure(
            options["folder"],
            shots=options["shots"],
            draws=options["draws"],
            open_picture=_open_or_error,
            embedder=BuiltinEmbedder(),
        )
        for line in scores.unreadable[:NAMES_SHOWN]:
            self.stderr.write(line)
        if options["json"]:
            self.stdout.write(json.dumps(scores.as_json()))
            return
        self.stdout.write(
            f"{scores.model}: {scores.characters} characters, {scores.faces:,} faces "
            f"({scores.twins_removed:,} near-twins removed), {scores.ms_per_face:.1f} ms a face"
        )
        for shots, right in scores.accuracy.items():
            self.stdout.write(f"  {shots} named: {100 * right:.1f} % right")


def _open(path: Path) -> NDArray[np.uint8]:
    return read_picture(path, name=path.name).rgb


def _open_or_error(path: Path) -> NDArray[np.uint8]:
    """As the characters' measure wants it: a ValueError for a picture that is reported and left out."""
    try:
        return _open(path)
    except UnreadablePicture as error:
        raise ValueError(str(error)) from error
