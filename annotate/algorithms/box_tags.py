"""Tags derived from boxes: the number of persons, heads and hands, and the kind of text. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotate.algorithms.tag_rules import Label
from annotate.algorithms.text_boxes import use_of

COUNT_MAX = 9  # more are "9+"
PLURALS = {"person": "persons", "halfbody": "half_bodies", "body": "bodies"}
META = "meta"
Following = list[tuple[Label, float]]


def counted(names: Sequence[str], scores: NDArray[np.float32], labels: NDArray[np.integer]) -> Following:
    """Return tags such as "persons:2" per label of the model, also "hands:0", with the lowest score of their boxes.

    `scores` [n] and `labels` [n] are those of the boxes of one picture.
    """
    counts = Counter(labels.tolist())
    tags: Following = []
    for kind, name in enumerate(names):
        count = counts[kind]
        score = float(scores[labels == kind].min()) if count else 1.0
        words = str(count) if count <= COUNT_MAX else f"{COUNT_MAX}+"
        tags.append((Label(f"{plural(name)}:{words}", META), score))
    return tags


def plural(name: str) -> str:
    """Return a label's plural, in characters allowed in a tag."""
    safe_name = re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_") or "box"
    return PLURALS.get(safe_name, safe_name if safe_name.endswith("s") else f"{safe_name}s")


def of_text(boxes: NDArray[np.float32]) -> Following:
    """Return `text` with the share of the picture it covers, `subtitled`, `credits`; nothing without boxes [0, 4]."""
    if not len(boxes):
        return []
    use = use_of(boxes)
    tags = [("text", use.share), *([("subtitled", 1.0)] if use.subtitled else ())]
    return [(Label(name, META), score) for name, score in [*tags, *([("credits", 1.0)] if use.credits else ())]]
