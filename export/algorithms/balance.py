"""How often each folder's pictures are used per epoch: the tree formula of `multiply.txt` (reference 1.9)."""

from __future__ import annotations

import csv
import io
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from itertools import accumulate
from typing import Literal

from ingest import humane

WEIGHT_MIN = 1e-6
WEIGHT_MAX = 1e6
FREQUENT = 3.0  # times the average picture: from here on a picture is used often enough to be learned by heart
RARE = 10  # pictures: in a smaller folder (the reference's fewest of a combination) often means learned by heart
RULING_SHARE = 0.1  # of an epoch, taken by such pictures: a warning is shown
ROUNDING_NOTICED = 0.1  # relative error of a repeat from which a warning is shown

Path = tuple[str, ...]
_WILDCARDS = re.compile(r"[*?\[]")
_NO_ROW = sys.maxsize


Rounding = Literal["exact", "round", "truncate", "floor", "none"]


def repeats_of(multiply: float, rounding: Rounding) -> int | None:
    """Return the whole repeats of each picture: `round` to the nearest, at least 1; `truncate` to what is before the
    point, which may be 0; `none` always 1. None for trainers that need no whole repeats.
    """
    if rounding == "round":
        return max(1, round(multiply))
    if rounding == "truncate":
        return int(multiply)
    return 1 if rounding == "none" else None


def per_epoch(pictures: int, multiply: float, rounding: Rounding) -> float:
    """Return how many pictures an epoch takes from a folder: `floor` rounds their sum down, the others each picture."""
    if rounding == "floor":
        return math.floor(pictures * multiply)
    repeats = repeats_of(multiply, rounding)
    return pictures * (multiply if repeats is None else repeats)


class WeightsError(ValueError):
    """Weights that cannot be read; `errors` has one message per bad row."""

    def __init__(self, errors: Sequence[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True)
class Weight:
    """A row of the weights: a folder name or a pattern for complete paths, and its weight."""

    pattern: str
    weight: float

    def __post_init__(self) -> None:
        if not self.pattern:
            raise ValueError("the pattern is empty")
        if not (math.isfinite(self.weight) and WEIGHT_MIN <= self.weight <= WEIGHT_MAX):
            raise ValueError(f"the weight of {self.pattern!r} must lie between {WEIGHT_MIN:f} and {WEIGHT_MAX:,.0f}")


@dataclass(frozen=True, slots=True)
class FolderShare:
    """A folder with pictures: its probability, multiply before and after the limit, share of the epoch."""

    path: Path
    pictures: int
    probability: float
    unclipped: float
    multiply: float
    epoch_share: float

    @property
    def clipped(self) -> bool:
        """Whether the upper limit cut the multiply."""
        return self.multiply < self.unclipped

    @property
    def repeats(self) -> int:
        """Whole repeats of trainers that round to the nearest, at least 1."""
        return max(1, round(self.multiply))

    def per_epoch(self, rounding: Rounding) -> float:
        """How many pictures of the folder a trainer takes in an epoch that rounds in this way."""
        return per_epoch(self.pictures, self.multiply, rounding)

    @property
    def multiply_text(self) -> str:
        """The multiply as it is written to the file: at most two decimals, no trailing zeros."""
        return f"{self.multiply:.2f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Ruling:
    """A few pictures that take much of an epoch: their number and share, their highest multiply, and the upper limit
    of multiply (`cap`, see `cap_of`) at which they do not."""

    pictures: int
    epoch_share: float
    multiply: float
    cap: float

    @property
    def text(self) -> str:
        """The warning."""
        verb = "is" if self.pictures == 1 else "are"
        share = f"{100 * self.epoch_share:.0f} % of an epoch"
        return f"{humane.count(self.pictures, 'picture')} {verb} {share}, used up to {self.multiply:g} times each."

    @property
    def cap_text(self) -> str:
        """The offered limit."""
        return f"{self.cap:g}"


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance of a dataset; `folders` by ascending multiply, then by path.

    `max_multiply`: the upper limit that was applied. `clipping`: warnings of folders that it cuts.
    """

    folders: tuple[FolderShare, ...] = ()
    pictures: int = 0
    epoch: float = 0.0
    max_multiply: float = math.inf
    clipping: tuple[str, ...] = ()
    ruling: Ruling | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """All warnings as text."""
        if self.ruling is None:
            return self.clipping
        return (*self.clipping, f"{self.ruling.text} A maximum multiplier of {self.ruling.cap_text} prevents it.")


@dataclass(slots=True)
class _Node:
    path: Path
    has_pictures: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def parse_weights(text: str) -> tuple[Weight, ...]:
    """Parse rows `pattern,weight` of a CSV without a header; empty lines and lines starting with `#` are skipped.

    A full-width comma also separates if a line has no other. Of two rows for one pattern the first counts. Raises
    WeightsError naming every bad row.
    """
    weights: list[Weight] = []
    errors: list[str] = []
    lines = text.lstrip("\ufeff").split("\n")
    normalized = "\n".join(line if "," in line else line.replace("，", ",") for line in lines)
    reader = csv.reader(io.StringIO(normalized), skipinitialspace=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            try:
                weights.append(_weight(cells))
            except ValueError as error:
                errors.append(f"line {reader.line_num}: {error}")
    except csv.Error as error:
        errors.append(f"line {reader.line_num}: not readable as CSV: {error}")
    if errors:
        raise WeightsError(errors)
    return tuple(weights)


def _weight(cells: Sequence[str]) -> Weight:
    if len(cells) != 2:
        raise ValueError(f"two columns are needed, pattern and weight; found {len(cells)}")
    pattern, written = cells
    try:
        weight = float(written)
    except ValueError:
        raise ValueError(f"the weight of {pattern!r} is no number: {written!r}") from None
    return Weight(pattern, weight)


class Weigher:
    """Looks up the weights of folders: in constant time for names, paths and `*/path`, else pattern by pattern."""

    def __init__(self, weights: Sequence[Weight]) -> None:
        self._by_name: dict[str, float] = {}
        self._by_path: dict[str, tuple[int, float]] = {}
        self._by_ending: dict[str, tuple[int, float]] = {}
        self._patterns: list[tuple[int, float, re.Pattern[str]]] = []
        for index, row in enumerate(weights):
            self._by_name.setdefault(row.pattern, row.weight)
            if not _WILDCARDS.search(row.pattern):
                self._by_path.setdefault(row.pattern.removeprefix("./"), (index, row.weight))
            elif row.pattern.startswith("*/") and not _WILDCARDS.search(row.pattern, 1):
                self._by_ending.setdefault(row.pattern[2:], (index, row.weight))
            else:
                self._patterns.append((index, row.weight, re.compile(translate(row.pattern))))

    def weight_of(self, path: Path) -> float:
        """Return a folder's weight: the row equal to its name, else the first pattern matching its complete path,
        else 1.

        In the reference, the complete path begins with the dataset's folder; so `*/name` also matches a top-level
        folder.
        """
        if not path:
            return 1.0
        by_name = self._by_name.get(path[-1])
        if by_name is not None:
            return by_name
        full_path = "/".join(path)
        first, weight = self._by_path.get(full_path, (_NO_ROW, 1.0))
        if self._by_ending:
            for depth in range(len(path)):
                index, other = self._by_ending.get("/".join(path[depth:]), (first, weight))
                if index < first:
                    first, weight = index, other
        for index, other, pattern in self._patterns:
            if index >= first:
                break
            if pattern.match(full_path) or pattern.match("./" + full_path):
                return other
        return weight


def weight_of(path: Path, weights: Sequence[Weight]) -> float:
    """Return the weight of one folder; see `Weigher`."""
    return Weigher(weights).weight_of(path)


def balance(
    pictures: Mapping[Path, int],
    weights: Sequence[Weight] = (),
    *,
    min_multiply: float = 1.0,
    max_multiply: float = 100.0,
) -> Balance:
    """Compute the multiply of each folder in `pictures` (folder -> number of pictures in it; counts below 1 are
    ignored).

    P(root) = 1; at each node, P is divided in proportion between the children by their weights and the node's own
    pictures by the node's weight. u = P / N; m = round(u / min u * min_multiply, 2), at most max_multiply; if that is
    0, at most `cap_of` these multiplies. Raises ValueError for invalid limits.
    """
    if not (min_multiply > 0 and (min_multiply <= max_multiply or max_multiply == 0) and math.isfinite(max_multiply)):
        raise ValueError("the limits of multiply must be above 0, the lower not above the upper")
    filled = {path: count for path, count in pictures.items() if count > 0}
    if not filled:
        return Balance()
    probability: dict[Path, float] = {}
    _share(_tree(filled), 1.0, Weigher(weights), probability)
    per_picture = {path: probability[path] / count for path, count in filled.items()}
    smallest = min(per_picture.values())
    unclipped = {path: round(per_picture[path] / smallest * min_multiply, 2) for path in filled}
    limit = max_multiply or cap_of([(filled[path], unclipped[path]) for path in filled])
    rows = [(path, filled[path], probability[path], unclipped[path], min(unclipped[path], limit)) for path in filled]
    epoch = sum(count * multiply for _, count, _, _, multiply in rows)
    folders = [FolderShare(p, n, prob, raw, m, n * m / epoch) for p, n, prob, raw, m in rows]
    folders.sort(key=lambda row: (row.multiply, row.path))
    # A recipe that says each picture once, or that leaves the limit to the set, has required no more.
    clipping = _clipping_warnings(folders, limit) if max_multiply > min_multiply else []
    return Balance(tuple(folders), sum(filled.values()), epoch, limit, tuple(clipping), _ruling(folders, epoch))


def cap_of(multiplies: Sequence[tuple[int, float]]) -> float:
    """Return the limit of multiply at which no few pictures rule, of (number of pictures, multiply) per folder.

    It is the largest one below which no picture is used more than FREQUENT times as often as the average one. Frequent
    pictures raise that average: where folders with fewer than RARE pictures still take RULING_SHARE of the epoch or
    more with pictures that are used more than FREQUENT times as often as the median one, it is that often.

    Rounded down to a whole number where it is 1 or more, since trainers repeat whole pictures, else to two decimals. If
    nothing has to be cut, the highest multiply itself.
    """
    limit = _cap_by_average(multiplies)
    rows = [(number, min(multiply, limit)) for number, multiply in multiplies]
    usual = _median(rows)
    often = math.fsum(n * multiply for n, multiply in rows if n < RARE and multiply > FREQUENT * usual)
    if often < RULING_SHARE * math.fsum(n * multiply for n, multiply in rows):
        return limit
    return min(limit, _rounded_down(FREQUENT * usual))


def _median(multiplies: Iterable[tuple[int, float]]) -> float:
    """How often the median picture is used: at least half of all are used at most as often."""
    rows = sorted((multiply, number) for number, multiply in multiplies)
    half, below = sum(number for _, number in rows) / 2, 0
    for multiply, number in rows:
        below += number
        if below >= half:
            return multiply
    raise ValueError("there are no pictures")


def _cap_by_average(multiplies: Sequence[tuple[int, float]]) -> float:
    """The first of the two limits of `cap_of`.

    With a limit c, the average is A(c) = sum of n * min(m, c) / N, and A(c) / c falls as c grows. So the largest c with
    c <= FREQUENT * A(c) is the root of N * c = FREQUENT * (uncut + cut * c) between two neighbouring multiplies, where
    `cut` pictures are limited and the others sum up to `uncut`.
    """
    rows = sorted((multiply, number) for number, multiply in multiplies)
    sums = list(accumulate(multiply * number for multiply, number in rows))  # smallest first: nothing is lost
    total, highest = sum(number for _, number in rows), rows[-1][0]
    if highest * total <= FREQUENT * sums[-1]:
        return highest
    cut, limit = 0, highest
    for index in range(len(rows) - 1, -1, -1):
        cut += rows[index][1]
        if total <= FREQUENT * cut:  # only by rounding: the root is where the last step ended
            break
        below, uncut = (rows[index - 1][0], sums[index - 1]) if index else (0.0, 0.0)
        limit = FREQUENT * uncut / (total - FREQUENT * cut)
        if limit >= below:
            break
    return _rounded_down(min(limit, highest))


def _rounded_down(limit: float) -> float:
    limit += 1e-9  # 6 must not become 5 by the last bit
    return float(math.floor(limit)) if limit >= 1 else math.floor(limit * 100) / 100


def _ruling(folders: Sequence[FolderShare], epoch: float) -> Ruling | None:
    pictures = sum(row.pictures for row in folders)
    # A tenth above: multiplies are rounded, and a warning of nothing much helps nobody.
    limit = 1.1 * FREQUENT * epoch / pictures
    limit_rare = min(limit, 1.1 * FREQUENT * _median((row.pictures, row.multiply) for row in folders))
    frequent = [row for row in folders if row.multiply > (limit_rare if row.pictures < RARE else limit)]
    share = math.fsum(row.epoch_share for row in frequent)
    if share < RULING_SHARE:
        return None
    cap = cap_of([(row.pictures, row.multiply) for row in folders])
    return Ruling(sum(row.pictures for row in frequent), share, max(row.multiply for row in frequent), cap)


def rounding_warnings(result: Balance, rounding: Rounding) -> list[str]:
    """Return warnings about what a trainer's rounding does to the balance."""
    if rounding in ("exact", "none"):
        return _never_used([row for row in result.folders if row.multiply < 1], rounding)
    unused = [row for row in result.folders if row.per_epoch(rounding) < 1]
    return _never_used(unused, rounding) + _distortion(result, rounding)


def _never_used(folders: Sequence[FolderShare], rounding: Rounding) -> list[str]:
    if not folders or rounding == "none":
        return []
    pictures = humane.count(sum(row.pictures for row in folders), "picture")
    remedy = "A minimum multiplier of 1 prevents it."
    if rounding == "exact":
        return [
            f"{pictures} with a multiply below 1: EveryDream2 uses each in a part of the epochs, but trainers that cut "
            f"multiply to whole numbers (EveryDream 1) never use them. {remedy}"
        ]
    where = "/".join(folders[0].path) or "(top)"
    return [
        f"{pictures} in {humane.count(len(folders), 'folder')} (first {where}) never used: rounded down to 0. {remedy}"
    ]


def _distortion(result: Balance, rounding: Rounding) -> list[str]:
    def error(row: FolderShare) -> float:
        return abs(row.per_epoch(rounding) / (row.pictures * row.multiply) - 1)

    off = [row for row in result.folders if error(row) > ROUNDING_NOTICED]
    if not off:
        return []
    worst = max(off, key=error)
    rounded = worst.per_epoch(rounding) / worst.pictures
    return [
        f"The trainer supports only whole repeats: {len(off)} of {len(result.folders)} folders are used more than 10 % "
        f"too often or too seldom. Worst: {'/'.join(worst.path) or '(top)'}, {worst.multiply_text} becomes "
        f"{rounded:.3g}. A higher minimum multiplier makes the error smaller."
    ]


def _clipping_warnings(folders: Sequence[FolderShare], limit: float) -> list[str]:
    cut = [row for row in folders if row.clipped]
    if not cut:
        return []
    worst = max(cut, key=lambda row: row.unclipped)
    pictures = humane.count(worst.pictures, "picture")
    word = "folder is" if len(cut) == 1 else "folders are"
    return [
        f"{len(cut)} {word} cut at multiply {limit:g} and will be seen less often than their weights require. "
        f"Most: {'/'.join(worst.path) or '(top)'} with {pictures} would need {worst.unclipped:,.2f}."
    ]


def _tree(folders: Iterable[Path]) -> _Node:
    root = _Node(())
    for path in folders:
        node = root
        for name in path:
            node = node.children.setdefault(name, _Node((*node.path, name)))
        node.has_pictures = True
    return root


def _share(node: _Node, mass: float, weigher: Weigher, out: dict[Path, float]) -> None:
    shares = [(child, weigher.weight_of(child.path)) for child in node.children.values()]
    weight_here = weigher.weight_of(node.path) if node.has_pictures else 0.0
    total = weight_here + sum(weight for _, weight in shares)
    if node.has_pictures:
        out[node.path] = mass * weight_here / total
    for child, weight in shares:
        _share(child, mass * weight / total, weigher, out)
