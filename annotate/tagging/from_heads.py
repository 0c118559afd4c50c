"""Tags of a frame's heads by the built-in head tagger, packed like a model's answer.

Colours are left to the computed tags, which measure them, and hair lengths are left out: on art unlike Koma's own
drawings the network is unreliable for both (its card has the figures).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from annotate.algorithms.face_features import Box, cut_head, in_pixels
from annotate.algorithms.tag_rules import Label, Rules
from annotate.backends.contract import Picture
from annotate.backends.taggers.builtin import LENGTHS, BuiltinHeadTagger
from annotate.tagging.stored_scores import ScoredVersion, Scores, scored_version_of

SIDE = 128  # pixels of head crops; the network aligns and scales them


def labels_and_rules(tagger: BuiltinHeadTagger) -> tuple[tuple[Label, ...], Rules]:
    """Return the tags used from the network, each with its own threshold."""
    thresholds = {name: threshold for name, threshold in tagger.thresholds.items() if not _measured(name)}
    return tuple(Label(name, "general") for name in thresholds), Rules(label_thresholds=thresholds, inclusive=True)


def scored_version(tagger: BuiltinHeadTagger) -> ScoredVersion:
    """Return the version of the head tagger; create its row if missing."""
    labels, rules = labels_and_rules(tagger)
    return scored_version_of(tagger.info, labels, rules)


def answer(speaks: ScoredVersion, tagger: BuiltinHeadTagger, picture: Picture, boxes: Sequence[Box]) -> bytes:
    """Return the packed scores of a picture (uint8 RGB) with relative boxes of its faces: per tag the best head's
    score."""
    height, width = picture.shape[:2]
    pixels = in_pixels(boxes, width, height)
    return speaks.pack(scores(speaks, tagger, [cut_head(picture, box, side_px=SIDE) for box in pixels]))


def scores(speaks: ScoredVersion, tagger: BuiltinHeadTagger, heads: Sequence[Picture]) -> Scores:
    """Return the scores [labels] of the tags accepted for heads. Of mutually exclusive tags the best score counts."""
    names = [label.name for label in speaks.accepted_tags.labels]
    row = np.zeros(len(names), np.float32)
    for head_scores in tagger.tag(heads):
        accepted = tagger.following(head_scores)
        row = np.maximum(row, np.array([accepted.get(name, 0.0) for name in names], np.float32))
    return row


def _measured(name: str) -> bool:
    return name in LENGTHS or (name.endswith(("_hair", "_eyes")) and name != "closed_eyes")
