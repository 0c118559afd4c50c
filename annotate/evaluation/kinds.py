"""The kinds of measurements: each defines its folder format and options, and returns scores as text and JSON.

A new kind is one function and one row of KINDS; the command `evaluate` and the quality page offer it then.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.box_scale import Border
from annotate.algorithms.tag_rules import AcceptedTags
from annotate.backends.boxes import known_detectors
from annotate.backends.contract import FaceDetector
from annotate.backends.embedders.known_embedders import open_embedder
from annotate.backends.model_files import registry
from annotate.backends.upscalers import known_upscalers
from annotate.backends.upscalers.resize import FILTERS
from annotate.evaluation import characters, duplicates, faces, tags, upscale
from annotate.evaluation.scores import Scores
from annotate.evaluation.tag_truth import FORM
from annotate.tagging import from_pixels
from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture


@dataclass(frozen=True, slots=True)
class Option:
    """An option `--name` of a kind: `parse` converts its text or raises ArgumentTypeError."""

    name: str
    parse: Callable[[str], Any]
    default: Any
    help: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of measurement: `run(folder, models_dir, options)` measures.

    Raises KomaError with a message for the user.
    """

    name: str
    about: str
    folder: str  # description of what the folder must hold
    task: str  # of the models that it measures; empty: the kind lists them itself
    run: Callable[[Path, Path, Mapping[str, Any]], Scores]
    options: tuple[Option, ...] = ()
    default_model: str = registry.BUILTIN
    own_models: tuple[str, ...] = (registry.BUILTIN,)


def shot_counts(text: str) -> tuple[int, ...]:
    """Parse numbers of named faces such as `1,5,10,20`. Raises ArgumentTypeError."""
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 1,5,10,20") from None
    if not counts or min(counts) < 1:
        raise ArgumentTypeError("each number of named faces must be 1 or more")
    return counts


def positive(text: str) -> int:
    """Parse a whole number of at least 1. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def number(text: str) -> float:
    """Parse a number above 0. Raises ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def yes_or_no(text: str) -> bool:
    """Parse `yes` or `no`. Raises ArgumentTypeError."""
    if text not in ("yes", "no"):
        raise ArgumentTypeError(f"{text!r} must be yes or no")
    return text == "yes"


def border(text: str) -> Border:
    """Parse the treatment of boxes at the picture's edge. Raises ArgumentTypeError."""
    if text not in tuple(Border):
        raise ArgumentTypeError(f"{text!r} is none of {', '.join(Border)}")
    return Border(text)


# Called before each picture is read: reports progress; an exception stops the measurement.
watch: ContextVar[Callable[[Path], None]] = ContextVar("watch", default=lambda path: None)


def open_picture(path: Path) -> NDArray[np.uint8]:
    """Return uint8 RGB [height, width, 3]. Raises BadInput for an unreadable picture."""
    watch.get()(path)
    try:
        return read_picture(path, name=path.name).rgb
    except UnreadablePicture as error:
        raise BadInput(str(error)) from error


def open_or_error(path: Path) -> NDArray[np.uint8]:
    """As `open_picture`, but raises ValueError, for kinds that report and skip unreadable pictures."""
    watch.get()(path)
    try:
        return read_picture(path, name=path.name).rgb
    except UnreadablePicture as error:
        raise ValueError(str(error)) from error


def open_face_detector(models_dir: Path, options: Mapping[str, Any]) -> FaceDetector:
    """Open the detector chosen by the options of `faces`."""
    cascade = known_detectors.CascadeOptions(
        step=options["step"], side_min=options["side_min"], neighbours=options["neighbours"],
        box_scale=options["box_scale"], border=options["border"],
    )  # fmt: skip
    return known_detectors.open_detector(
        options["model"], models_dir, threshold=options["threshold"], cascade=cascade, dynamic=options["dynamic"],
        threads=options["threads"],
    )  # fmt: skip


def _faces(folder: Path, models_dir: Path, options: Mapping[str, Any]) -> Scores:
    return faces.measure(folder, open_face_detector(models_dir, options), open_picture=open_picture)


def _characters(folder: Path, models_dir: Path, options: Mapping[str, Any]) -> Scores:
    embedder = open_embedder(options["model"], models_dir, threads=options["threads"])
    return characters.measure(
        folder, shots=options["shots"], draws=options["draws"], open_picture=open_or_error, embedder=embedder
    )


def _duplicates(folder: Path, models_dir: Path, options: Mapping[str, Any]) -> Scores:
    name, scorer = options["model"], None
    if name not in (duplicates.BUILTIN, duplicates.DHASH):
        scorer = registry.open_model(registry.find(name, models_dir, task="tags"), threads=options["threads"])
    return duplicates.measure(folder, duplicates.describer(name, scorer), open_picture=open_or_error)


def _upscale(folder: Path, models_dir: Path, options: Mapping[str, Any]) -> Scores:
    opened = known_upscalers.open_upscaler(options["model"], models_dir, threads=options["threads"])
    return upscale.measure(folder, opened, open_picture=open_or_error)


def _tags(folder: Path, models_dir: Path, options: Mapping[str, Any]) -> Scores:
    return tags.measure(folder, _judge(options["model"], models_dir, options["threads"]), open_picture=open_or_error)


def _judge(name: str, models_dir: Path, threads: int) -> tags.Judge:
    """Open a tagger or classifier by name; COMPUTED: tags from pixels and the built-in detector's faces."""
    if name == COMPUTED:
        detector = known_detectors.open_detector(registry.BUILTIN, models_dir, threads=threads)

        def scores(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
            return from_pixels.scores(picture, detector.detect([picture])[0].boxes.tolist())

        accepted_tags = AcceptedTags(from_pixels.LABELS, from_pixels.RULES)
        return tags.Judge(from_pixels.COMPUTED.revision, detector.device, accepted_tags, scores)
    installed = {model.name: model for task in ("tags", "class") for model in registry.installed(models_dir, task=task)}
    chosen_model = installed.get(name) or registry.find(name, models_dir, task="tags")
    return tags.judge_of(registry.open_model(chosen_model, threads=threads))


COMPUTED = "computed"
THREADS = Option("threads", positive, 1, "threads of one call (default 1)")
CASCADE = known_detectors.CascadeOptions()
DETECTOR_OPTIONS = (
    Option("threshold", number, None, "0 to 1: higher finds fewer; default the model's own"),
    Option("dynamic", yes_or_no, default=False, help="YOLO: yes keeps the pictures' ratio, as imgutils 0.2 did"),
    Option("step", number, CASCADE.step, "cascade: step between sizes, default 1.1"),
    Option("side_min", positive, CASCADE.side_min, "cascade: smallest face in pixels, default 24"),
    Option("neighbours", positive, CASCADE.neighbours, "cascade: higher values find fewer, default 5"),
    Option("box_scale", number, CASCADE.box_scale, "cascade: 1 the face (default), 1.5 the head"),
    Option("border", border, Border.SHIFT, "cascade: shift, clamp or drop boxes that leave the picture"),
)

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "faces", "share of faces that a detector finds", "pictures and a boxes.json", "faces", _faces,
            (THREADS, *DETECTOR_OPTIONS), own_models=known_detectors.OWN,
        ),
        Kind(
            "characters", "share of faces named correctly", "a folder of face pictures per character", "embedding",
            _characters,
            (
                Option("shots", shot_counts, (1, 5, 10, 20), "named faces, default 1,5,10,20"),
                Option("draws", positive, 20, "random choices of the named faces, default 20"),
                THREADS,
            ),
        ),
        Kind(
            "duplicates", "how well duplicates are recognized",
            "different pictures, or a folder for each set of copies, or pictures and a groups.json", "tags",
            _duplicates, (THREADS,), own_models=(duplicates.BUILTIN, duplicates.DHASH),
        ),
        Kind(
            "tags", "how well a tagger or classifier tags pictures", FORM, "tags", _tags, (THREADS,),
            default_model=COMPUTED, own_models=(COMPUTED,),
        ),
        Kind(
            "upscale", "how well an upscaler restores pictures that were made smaller", "pictures of any kind",
            "upscale", _upscale, (THREADS,), default_model=known_upscalers.DEFAULT, own_models=tuple(FILTERS),
        ),
    )
}  # fmt: skip
