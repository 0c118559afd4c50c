"""Rules on scored tags: thresholds, the largest gap, spelling with spaces, implied and overlapped tags. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

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


def with_implied(tags: Mapping[str, float], implications: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Add what tags imply (and what those imply), each with the highest score of a tag that implies it."""
    out = dict(tags)
    waiting = list(tags)
    while waiting:
        name = waiting.pop()
        for implied in implications.get(name, ()):
            if out.get(implied, -1.0) < out[name]:
                out[implied] = out[name]
                waiting.append(implied)
    return out


def without_overlap(tags: Mapping[str, float], more_special: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Drop each tag beside which one of its more special forms is present (`hair` beside `long_hair`)."""
    return {
        name: score for name, score in tags.items() if not any(other in tags for other in more_special.get(name, ()))
    }


def without_words(tags: Mapping[str, float], blacklist: Iterable[str]) -> dict[str, float]:
    """Drop the tags of a blacklist, spelled with underscores or spaces."""
    unwanted = {name.strip().replace(" ", "_") for name in blacklist}
    return {name: score for name, score in tags.items() if name not in unwanted}
