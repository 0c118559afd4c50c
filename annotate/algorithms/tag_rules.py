"""Rules on scored tags: thresholds, the largest gap, spelling with spaces. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

GENERAL_THRESHOLD = 0.35
CHARACTER_THRESHOLD = 0.85
CHARACTER_MCUT_MIN = 0.15
# Faces made of signs: their underscores are no word gaps.
KAOMOJI = frozenset(
    (
        "0_0", "(o)_(o)", "+_+", "+_-", "._.", "<o>_<o>", "<|>_<|>", "=_=", ">_<", "3_3",
        "6_9", ">_o", "@_@", "^_^", "o_o", "u_u", "x_x", "|_|", "||_||",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Label:
    """One output of a tagger or a classifier: its name with underscores and its category; a nameless one is skipped."""

    name: str
    category: str  # general, character, copyright, artist, meta, rating, or a classifier's own ("class", "aesthetic")


@dataclass(frozen=True, slots=True)
class Rules:
    """Which labels follow from scores.

    `thresholds` by category: a label follows when its score is greater (with `inclusive`: or equal); a category that
    is not named gives nothing. `own` overrides by label name. `one_of`: categories of which the best label alone
    follows. `mcut`: categories that take the largest gap of each picture's scores, at least `mcut_floor`, instead.
    """

    thresholds: Mapping[str, float] = field(default_factory=dict)
    own: Mapping[str, float] = field(default_factory=dict)
    one_of: frozenset[str] = frozenset()
    mcut: frozenset[str] = frozenset()
    mcut_floor: Mapping[str, float] = field(default_factory=dict)
    inclusive: bool = False


def following(scores: npt.NDArray[np.float32], labels: Sequence[Label], rules: Rules) -> list[tuple[Label, float]]:
    """Labels that follow from scores [labels], best first within a category, categories in order of first label."""
    places: dict[str, list[int]] = {}
    for place, label in enumerate(labels):
        if label.name:
            places.setdefault(label.category, []).append(place)
    found: list[tuple[Label, float]] = []
    for category, rows in places.items():
        own = scores[rows]
        order = np.argsort(-own, kind="stable")
        if category in rules.one_of:
            found.append((labels[rows[int(order[0])]], float(own[order[0]])))
            continue
        threshold = rules.thresholds.get(category)
        if category in rules.mcut and len(rows):
            threshold = max(rules.mcut_floor.get(category, 0.0), mcut(own))
        for at in order:
            label = labels[rows[int(at)]]
            least = rules.own.get(label.name, threshold)
            score = float(own[at])
            if least is not None and (score >= least if rules.inclusive else score > least):
                found.append((label, score))
    return found


def mcut(scores: npt.ArrayLike) -> float:
    """Maximum cut: the middle of the largest gap between neighbours of the sorted scores.

    Largeron, Moulin, Gery: MCut, a thresholding strategy for multi-label classification, 2012. Fewer than two scores
    have no gap: 0.0. Of equal gaps the one of the higher scores is taken.
    """
    ordered = np.sort(np.asarray(scores, np.float64))[::-1]
    if len(ordered) < 2:
        return 0.0
    gaps = ordered[:-1] - ordered[1:]
    at = int(gaps.argmax())
    return float((ordered[at] + ordered[at + 1]) / 2)


def above(scores: Mapping[str, float], threshold: float) -> dict[str, float]:
    """Tags whose score is greater than `threshold` (not equal), best first, equal ones by name."""
    kept = [(name, score) for name, score in scores.items() if score > threshold]
    return dict(sorted(kept, key=lambda item: (-item[1], item[0])))


def spaced(name: str) -> str:
    """The tag with spaces for underscores, as captions have it; kaomoji stay."""
    return name if name in KAOMOJI else name.replace("_", " ")
