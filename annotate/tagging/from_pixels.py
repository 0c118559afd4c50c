"""Tags computed from a frame's pixels and faces, packed like a model's answer, and a digest of their inputs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from annotate.algorithms.colour_names import BACKGROUNDS, EYES, HAIR
from annotate.algorithms.computed_tags import COMPUTED_VERSION, computed_tags
from annotate.algorithms.face_colours import FaceColours
from annotate.algorithms.face_features import Box, in_pixels
from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.contract import ModelInfo, Picture
from annotate.tagging.stored_scores import ScoredVersion, Scores, scored_version_of
from ingest.models import Frame

COMPUTED = ModelInfo(task="tags", name="computed", revision=COMPUTED_VERSION, licence="MIT")
BASIS = "computed_for"  # in Frame.measures: digest of the faces that the computed tags depend on
SIZES = ("lowres", "highres", "absurdres")
LABELS = tuple(
    Label(name, "meta" if name in SIZES else "general")
    for name in (
        *SIZES, "wide_image", "tall_image", "monochrome", "greyscale", "simple_background", "close-up", "portrait",
        "upper_body", "solo", "no_humans", *(f"{name}_background" for name in BACKGROUNDS.names),
        *(f"{name}_hair" for name in HAIR.names), *(f"{name}_eyes" for name in EYES.names),
    )
)  # fmt: skip
# Weak tags are never stored, so all stored ones are accepted.
RULES = Rules({"general": 0.0, "meta": 0.0})
_PLACES = {label.name: place for place, label in enumerate(LABELS)}


def scored_version() -> ScoredVersion:
    """Return the version of the computed tags; create its row if missing."""
    return scored_version_of(COMPUTED, LABELS, RULES)


def answer(
    speaks: ScoredVersion, frame: Frame, picture: Picture, boxes: Sequence[Box], *, people_elsewhere: bool = False
) -> tuple[bytes, tuple[FaceColours, ...]]:
    """Return the packed computed tags of a frame's picture (uint8 RGB) with relative boxes of its faces, and the
    colours of each face.

    `people_elsewhere`: other frames of its shot show faces.
    """
    height, width = picture.shape[:2]
    pixels = in_pixels(boxes, width, height)
    size = (frame.width, frame.height)
    computed = computed_tags(picture, pixels, size=size, people_elsewhere=people_elsewhere)
    return speaks.pack(_row(computed.tags)), computed.colours


def scores(
    picture: Picture, pixels: Sequence[Box], *, size: tuple[int, int] | None = None, people_elsewhere: bool = False
) -> Scores:
    """Compute the scores [LABELS] of a picture with its face boxes in pixels; `size` is that of the original."""
    return _row(computed_tags(picture, pixels, size=size, people_elsewhere=people_elsewhere).tags)


def _row(tags: dict[str, float]) -> Scores:
    row = np.zeros(len(LABELS), np.float32)
    for name, score in tags.items():
        row[_PLACES[name]] = score
    return row


def basis(boxes: Sequence[Box], *, people_elsewhere: bool) -> str:
    """Return a short digest that changes when faces, and so the computed tags, may change."""
    text = json.dumps([[f"{value:.5f}" for value in box] for box in boxes] + [people_elsewhere])
    return hashlib.sha256(text.encode()).hexdigest()[:12]
