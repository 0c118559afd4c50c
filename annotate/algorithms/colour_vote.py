"""One colour per character: the colours of its faces vote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping

from annotate.algorithms.face_colours import Named

# Two colours that each have a good share are two looks: dyed hair, a costume, or two people in one group.
AGREEMENT_MIN = 0.7


def winners(votes: Mapping[Hashable, list[Named]]) -> dict[Hashable, Named]:
    """Return the colour of each group whose votes agree, with the mean score of those for it.

    A group with one vote, or with votes that disagree strongly, has no winner: its faces keep what was seen on them.
    """
    result: dict[Hashable, Named] = {}
    for group, named in votes.items():
        weights: dict[str, float] = defaultdict(float)
        for vote in named:
            weights[vote.name] += vote.score
        name = max(weights, key=lambda candidate: (weights[candidate], candidate), default="")
        if len(named) > 1 and weights[name] >= AGREEMENT_MIN * sum(weights.values()):
            scores = [vote.score for vote in named if vote.name == name]
            result[group] = Named(name, sum(scores) / len(scores))
    return result
