"""One colour per character: the colours of its faces vote."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

from annotate.algorithms.face_colours import Named

# Two colours that each have a good share are two looks: dyed hair, a costume, or two people in one group.
AGREEMENT_MIN = 0.7


class Ballot:
    """The votes of groups of faces. Memory grows with groups and colours, not with faces."""

    def __init__(self, votes: Iterable[tuple[Hashable, Named]] = ()) -> None:
        self._votes: dict[Hashable, dict[str, tuple[int, float]]] = defaultdict(dict)  # number and sum of scores
        for group, named in votes:
            self.add(group, named)

    def add(self, group: Hashable, named: Named) -> None:
        """Count the colour of one face of the group."""
        number, score = self._votes[group].get(named.name, (0, 0.0))
        self._votes[group][named.name] = number + 1, score + named.score

    def winners(self) -> dict[Hashable, Named]:
        """Return the colour of each group whose votes agree, with the mean score of those for it.

        A group with one vote, or with votes that disagree strongly, has no winner: its faces keep what was seen on
        them.
        """
        result: dict[Hashable, Named] = {}
        for group, colours in self._votes.items():
            name = max(colours, key=lambda candidate: (colours[candidate][1], candidate))
            number, score = colours[name]
            votes, total = sum(n for n, _ in colours.values()), sum(s for _, s in colours.values())
            if votes > 1 and score >= AGREEMENT_MIN * total:
                result[group] = Named(name, score / number)
        return result
