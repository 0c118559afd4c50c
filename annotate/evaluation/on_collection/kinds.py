"""The kinds of measurements on a collection's labels. A new kind is one function and one row of OWN_KINDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotate.backends.boxes import known_detectors
from annotate.backends.embedders.known_embedders import open_comparison, open_embedder
from annotate.backends.model_files import registry
from annotate.evaluation.kinds import KINDS, Option, open_face_detector
from annotate.evaluation.on_collection import characters, embedders, faces, names
from annotate.evaluation.on_collection.progress import Progress
from annotate.evaluation.scores import Scores
from ingest.models import Collection

EMBEDDERS = "embedders"
NAMES = "names"


@dataclass(frozen=True, slots=True)
class OwnKind:
    """A kind of measurement: `run(collection, models_dir, options, progress)`.

    Raises KomaError with a message for the user.
    """

    name: str
    about: str
    task: str  # of the models that it measures
    run: Callable[[Collection, Path, Mapping[str, Any], Progress], Scores]
    options: tuple[Option, ...] = ()
    own_models: tuple[str, ...] = (registry.BUILTIN,)
    default_model: str = registry.BUILTIN
    compares: bool = False  # a comparison of two models: `second` names the other one
    has_page: bool = False  # of its own; the others are on the page Accuracy

    def defaults(self) -> dict[str, Any]:
        """The default values of the options."""
        return {option.name: option.default for option in self.options}


def _faces(collection: Collection, models_dir: Path, options: Mapping[str, Any], progress: Progress) -> Scores:
    return faces.measure(collection, open_face_detector(models_dir, options), progress)


def _characters(collection: Collection, models_dir: Path, options: Mapping[str, Any], progress: Progress) -> Scores:
    embedder = open_embedder(options["model"], models_dir, threads=options["threads"])
    return characters.measure(collection, embedder, progress, shots=options["shots"], draws=options["draws"])


def _embedders(collection: Collection, models_dir: Path, options: Mapping[str, Any], progress: Progress) -> Scores:
    pair = (open_embedder(options["model"], models_dir), open_embedder(options["second"], models_dir))
    return embedders.compare(collection, pair, progress)


def _names(collection: Collection, models_dir: Path, options: Mapping[str, Any], progress: Progress) -> Scores:
    return names.propose(collection, open_comparison(options["model"], models_dir), progress)


OWN_KINDS = {
    kind.name: kind
    for kind in (
        OwnKind(
            "faces", "share of reviewed faces that a detector finds", "faces", _faces,
            KINDS["faces"].options, own_models=known_detectors.OWN,
        ),
        OwnKind(
            "characters", "share of named faces that are recognized from a few", "embedding", _characters,
            KINDS["characters"].options,
        ),
        OwnKind(
            EMBEDDERS, "agreement of two recognition models", "embedding", _embedders, compares=True,
            has_page=True,
        ),
        OwnKind(NAMES, "names for the faces without one, not applied", "embedding", _names, has_page=True),
    )
}  # fmt: skip
