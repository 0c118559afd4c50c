"""The plan of a dataset: folder and name of each picture, and the weight of each folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from export.algorithms import captions, metadata
from export.algorithms.balance import Balance, balance
from export.algorithms.crops import Crop
from export.algorithms.filenames import NAME_BYTES_MAX, Names, short_stem
from export.algorithms.levels import (
    Arrangement,
    Signature,
    combination_counts,
    folder_of,
    frequent_combinations,
    minimum_of,
    own_folders,
    signature_of,
)
from export.algorithms.parts import parts_of
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.algorithms.selection import reason_left_out
from export.algorithms.spelling import spell
from export.algorithms.upscaling import pass_warnings

Path = tuple[str, ...]
SHORT_BYTES = 20  # of an input's own folders in the short form


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the dataset: its facts, folder and file name without extension; for a crop, its square.

    It is upscaled in `passes`, then resized to `size` (None: only the recipe's bounds apply). `captions` as they are
    written, a line each. `weight`: the multiply of its folder. `split`: `train`, `validation`, `test`, or empty.
    """

    picture: Picture
    folder: Path
    stem: str
    crop: Crop | None = None
    passes: int = 0
    size: tuple[int, int] | None = None
    captions: tuple[str, ...] = ()
    weight: float = 1.0
    split: str = ""

    @property
    def all_passes(self) -> int:
        """The passes, including those the stored picture had before."""
        return self.picture.passes + self.passes

    @property
    def caption(self) -> str:
        """The first caption, or nothing."""
        return self.captions[0] if self.captions else ""


class Items(Protocol):
    """The pictures of a plan in the order of their keys: counted, and read as often as needed (from memory or disk)."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Item]: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be written, the number of pictures left out by reason, and the passes of upscaling.

    `spelled`: character -> spelling in folders. `upscaled`: number of pictures by passes of upscaling.
    """

    items: Items
    balance: Balance
    left_out: Mapping[str, int]
    spelled: Mapping[str, str] = field(default_factory=dict)
    upscaled: Mapping[int, int] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the balance and the upscaling."""
        return (*self.balance.warnings, *pass_warnings(self.upscaled))


def folders_for(counts: Mapping[Signature, int], arrangement: Arrangement) -> dict[Signature, Path]:
    """Return the folder of each signature, with safe and unique names; deterministic for a set of signatures.

    If an input's folder and a level differ only in case, the level keeps its spelling, since it is read back.
    """
    combinations = combination_counts(counts.items())
    frequent = frequent_combinations(combinations, minimum_of(combinations, arrangement))
    spelled = spellings(counts, arrangement)
    wishes: dict[Signature, tuple[_Wish, ...]] = {}
    for signature in counts:
        own_level_count = len(own_folders(signature, arrangement))
        parts = folder_of(signature, arrangement, frequent, spelled)
        wishes[signature] = tuple((depth < own_level_count, part) for depth, part in enumerate(parts))
    names = Names()
    assigned: dict[tuple[_Wish, ...], Path] = {(): ()}
    for depth in range(max(map(len, wishes.values()), default=0)):
        for wish in sorted({wish[: depth + 1] for wish in wishes.values() if len(wish) > depth}, key=_levels_first):
            is_own, part = wish[-1]
            limit = SHORT_BYTES if is_own and arrangement.short_names else NAME_BYTES_MAX
            parent = assigned[wish[:-1]]
            assigned[wish] = (*parent, names.folder(parent, part, limit_bytes=limit))
    return {signature: assigned[wish] for signature, wish in wishes.items()}


_Wish = tuple[bool, str]  # whether a folder of the input, and its name


def _levels_first(wish: tuple[_Wish, ...]) -> tuple[bool, tuple[_Wish, ...]]:
    return wish[-1][0], wish


def spellings(signatures: Iterable[Signature], arrangement: Arrangement) -> dict[str, str]:
    """Return the folder spelling of every character of a dataset."""
    return spell({name for row in signatures for name in row.names}, short=arrangement.short_names)


def balance_of(counts: Mapping[Signature, int], folders: Mapping[Signature, Path], recipe: Recipe) -> Balance:
    """Compute the balance of pictures counted by signature; all that a changed weight requires."""
    pictures: Counter[Path] = Counter()
    for signature, count in counts.items():
        pictures[folders[signature]] += count
    options = recipe.balance
    return balance(pictures, options.weights, min_multiply=options.min_multiply, max_multiply=options.max_multiply)


class Planning:
    """Two passes over the same pictures, in the order of their keys: `add` each, `settle`, then ask `items_of` each.

    Only counts are kept between the passes, so that a dataset of any size can be planned. Deterministic.
    """

    def __init__(self, recipe: Recipe, *, factor: int = 2) -> None:
        """`factor`: of one pass of the recipe's upscaler."""
        self.recipe = recipe
        self._factor = factor
        self._left_out: Counter[str] = Counter()
        self._counts: Counter[Signature] = Counter()
        self._upscaled: Counter[int] = Counter()
        self._folders: Mapping[Signature, Path] = {}
        self._weights: Mapping[Path, float] = {}
        self._names = Names()

    def add(self, picture: Picture) -> bool:
        """Count a picture; False if it is left out and needs no second pass."""
        reason = reason_left_out(picture, self.recipe.selection)
        if reason is not None:
            self._left_out[reason] += 1
            return False
        parts, reasons = parts_of(picture, self.recipe, factor=self._factor)
        self._left_out.update(reasons)
        for part in parts:
            self._counts[signature_of(part.picture)] += 1
            if passes := part.picture.passes + part.passes:
                self._upscaled[passes] += 1
        return bool(parts)

    def settle(self, items: Items = ()) -> Plan:
        """Return the plan of what was added, around `items`: folders and balance are decided."""
        self._folders = folders_for(self._counts, self.recipe.arrange)
        balance = balance_of(self._counts, self._folders, self.recipe)
        self._weights = {share.path: share.multiply for share in balance.folders}
        return Plan(
            items,
            balance,
            dict(sorted(self._left_out.items())),
            spellings(self._counts, self.recipe.arrange),
            dict(sorted(self._upscaled.items())),
        )

    def items_of(self, picture: Picture) -> Iterator[Item]:
        """Yield the items of a picture that `add` took; each picture once, in the order of their keys."""
        stem = short_stem if self.recipe.arrange.short_names else str
        parts = parts_of(picture, self.recipe, factor=self._factor)[0]
        for part in sorted(parts, key=lambda row: row.picture.key):
            folder = self._folders[signature_of(part.picture)]
            yield Item(
                part.picture,
                folder,
                self._names.stem(stem(part.picture.stem)),
                part.crop,
                part.passes,
                part.size,
                captions_of(part.picture, self.recipe),
                self._weights[folder],
            )


def make_plan(pictures: Iterable[Picture], recipe: Recipe, *, factor: int = 2) -> Plan:
    """Plan pictures that are in memory: select, crop, arrange, balance and caption them. Their order does not matter.

    `factor`: of one pass of the recipe's upscaler.
    """
    planning = Planning(recipe, factor=factor)
    chosen = [picture for picture in sorted(pictures, key=lambda row: row.key) if planning.add(picture)]
    plan = planning.settle()
    return replace(plan, items=tuple(item for picture in chosen for item in planning.items_of(picture)))


def facts(picture: Picture, recipe: Recipe) -> metadata.Facts:
    """Return the facts of a picture with the recipe's general description."""
    general = recipe.metadata.general_of(image_type=picture.image_type, series=picture.series, episode=picture.episode)
    return metadata.facts_of(picture, general)


def caption_of(picture: Picture, recipe: Recipe) -> str:
    """Return the caption of a picture: a person's text, as one line, else the recipe's."""
    return "".join(piece.text for piece in caption_pieces_of(picture, recipe))


def caption_pieces_of(picture: Picture, recipe: Recipe) -> list[captions.Piece]:
    """Return the caption of a picture in pieces, each tag apart; a person's text is one piece."""
    if picture.caption is not None:
        return [captions.Piece(" ".join(picture.caption.split()))]
    return captions.pieces(facts(picture, recipe), recipe.caption, key=picture.key)


def captions_of(picture: Picture, recipe: Recipe) -> tuple[str, ...]:
    """What stands in the caption file, a line each: the caption, and where the recipe wants it all other sentences."""
    first = caption_of(picture, recipe)
    if recipe.output.captions == "first":
        return (first,) if first else ()
    others = (" ".join(text.split()) for text in picture.sentences)
    lines = [captions.escaped(text) if recipe.caption.escape_brackets else text for text in others]
    return tuple(dict.fromkeys(line for line in (first, *lines) if line))
