"""Rules on scored tags: thresholds, the largest gap, spelling with spaces. Pure."""

from __future__ import annotations

from collections.abc import Mapping

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
