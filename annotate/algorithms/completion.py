"""Autocompletion in memory: all names are stored in one byte string, in order of rank."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

INSIDE_MIN = 3  # characters from which text is also looked for inside names


class Lines:
    """Texts, each with a rank, in order of their ranks."""

    def __init__(self, texts: Iterable[str], ranks: Iterable[int]) -> None:
        lines = [text.encode("utf-8", "replace") for text in texts]
        self._ranks = array("I", ranks)
        self._starts = array("Q", [0])  # of the line's end before each line, and of the last
        for line in lines:
            self._starts.append(self._starts[-1] + 1 + len(line))
        self._text = b"\n".join((b"", *lines, b""))

    def holding(self, part: bytes) -> Iterator[int]:
        """Ranks of the lines that hold it, ascending; a line's end stands before and after each."""
        position = self._text.find(part)
        while position >= 0:
            line = bisect_right(self._starts, position) - 1
            if line >= len(self._ranks):
                return
            yield self._ranks[line]
            position = self._text.find(part, self._starts[line + 1])


class Completion:
    """Names by decreasing rank (the first is the most frequent) and their aliases."""

    def __init__(self, keys: Sequence[int], names: Sequence[str], aliases: Iterable[tuple[str, int]]) -> None:
        """`keys` of the names; `aliases` with the key that each means."""
        self._keys = array("Q", keys)
        self._names = Lines(names, range(len(names)))
        rank = {key: order for order, key in enumerate(keys)}
        spelled = sorted((rank[key], alias) for alias, key in aliases if key in rank)
        self._aliases = Lines((alias for _, alias in spelled), (order for order, _ in spelled))

    def find(self, typed: str, *, limit: int) -> list[tuple[int, int]]:
        """Kind and key, best first: 0 the name itself, 1 by prefix, 2 by a prefix of an alias, 3 by the start of a
        later word, 4 by the middle of a word; each kind by rank. Short text is not looked for inside."""
        text = typed.encode("utf-8", "replace")
        if not text or b"\n" in text:
            return []
        ways = [(self._names, b"\n%b\n" % text), (self._names, b"\n" + text), (self._aliases, b"\n" + text)]
        if len(typed) >= INSIDE_MIN:
            ways += [(self._names, b"_" + text), (self._names, text)]
        matches: dict[int, int] = {}
        for kind, (lines, part) in enumerate(ways):
            for rank in lines.holding(part):
                matches.setdefault(rank, kind)
                if len(matches) >= limit:
                    break
            if len(matches) >= limit:
                break
        return [(kind, self._keys[rank]) for rank, kind in matches.items()]
