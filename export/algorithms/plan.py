"""The whole plan of a dataset: which picture goes where under which name, and what each folder weighs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from export.algorithms import captions, metadata
from export.algorithms.balance import Balance, balance
from export.algorithms.crops import Crop
from export.algorithms.filenames import NAME_BYTES_MAX, Names, short_stem
from export.algorithms.levels import (
    Arrangement,
    Signature,
    folder_of,
    frequent_combinations,
    own_folders,
    signature_of,
)
from export.algorithms.parts import Part, parts_of
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.algorithms.selection import reason_left_out
from export.algorithms.spelling import spell
from export.algorithms.upscaling import pass_warnings

Path = tuple[str, ...]
SHORT_BYTES = 20  # of an input's own folders in the short form


@dataclass(frozen=True, slots=True)
class Item:
    """One picture of the dataset: its facts, its folder and its file name without ending; a crop has its square.

    `passes` of upscaling are made before it is brought to `size` (None: only the recipe's bounds hold).
    """

    picture: Picture
    folder: Path
    stem: str
    crop: Crop | None = None
    passes: int = 0
    size: tuple[int, int] | None = None

    @property
    def all_passes(self) -> int:
        """With those that the stored picture had before."""
        return self.picture.passes + self.passes


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will be written, how many pictures stay out for which reason, and how many passes they had.

    `spelled`: characters -> how their folders spell them. `upscaled`: pictures by passes of upscaling.
    """

    items: tuple[Item, ...]
    balance: Balance
    left_out: Mapping[str, int]
    spelled: Mapping[str, str] = field(default_factory=dict)
    upscaled: Mapping[int, int] = field(default_factory=dict)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the balance and the upscaling give reason to say."""
        return (*self.balance.warnings, *pass_warnings(self.upscaled))


def folders_for(counts: Mapping[Signature, int], arrangement: Arrangement) -> dict[Signature, Path]:
    """Folder of each signature with names that are safe and unique, the same for the same set of signatures.

    Where a folder of an input and one of the levels differ only in case, the level keeps its spelling: it is read back.
    """
    frequent = frequent_combinations(counts.items(), arrangement.min_per_combination)
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
    """Every character of a dataset -> how its folders spell it."""
    return spell({name for row in signatures for name in row.names}, short=arrangement.short_names)


def balance_of(counts: Mapping[Signature, int], folders: Mapping[Signature, Path], recipe: Recipe) -> Balance:
    """The balance of pictures counted by signature; this is all that moving a weight has to compute."""
    pictures: Counter[Path] = Counter()
    for signature, count in counts.items():
        pictures[folders[signature]] += count
    options = recipe.balance
    return balance(pictures, options.weights, min_multiply=options.min_multiply, max_multiply=options.max_multiply)


def make_plan(pictures: Iterable[Picture], recipe: Recipe, *, factor: int = 2) -> Plan:
    """Select, crop, arrange and balance. Deterministic: the order of the input does not matter.

    `factor`: by how much a pass of the recipe's upscaler enlarges.
    """
    left_out: Counter[str] = Counter()
    chosen: list[Part] = []
    for picture in sorted(pictures, key=lambda row: row.key):
        reason = reason_left_out(picture, recipe.selection)
        if reason is not None:
            left_out[reason] += 1
            continue
        parts, reasons = parts_of(picture, recipe, factor=factor)
        chosen += parts
        left_out.update(reasons)
    signatures = [signature_of(part.picture) for part in chosen]
    counts = Counter(signatures)
    folders = folders_for(counts, recipe.arrange)
    names = Names()
    stem = short_stem if recipe.arrange.short_names else str
    items = tuple(
        Item(part.picture, folders[signature], names.stem(stem(part.picture.stem)), part.crop, part.passes, part.size)
        for part, signature in zip(chosen, signatures, strict=True)
    )
    upscaled = Counter(item.all_passes for item in items if item.all_passes)
    return Plan(
        items,
        balance_of(counts, folders, recipe),
        dict(sorted(left_out.items())),
        spellings(counts, recipe.arrange),
        dict(upscaled),
    )


def facts(picture: Picture, recipe: Recipe) -> metadata.Facts:
    """The facts of a picture with the recipe's general description."""
    general = recipe.metadata.general_of(image_type=picture.image_type, series=picture.series, episode=picture.episode)
    return metadata.facts_of(picture, general)


def caption_of(picture: Picture, recipe: Recipe) -> str:
    """The caption of a picture: a person's own text wins, as one line; else the recipe's."""
    if picture.caption is not None:
        return " ".join(picture.caption.split())
    return captions.caption(facts(picture, recipe), recipe.caption, key=picture.key)


def captions_of(picture: Picture, recipe: Recipe) -> tuple[str, ...]:
    """What stands in the caption file, a line each: the caption, and where the recipe wants it all other sentences."""
    first = caption_of(picture, recipe)
    if recipe.output.captions == "first":
        return (first,) if first else ()
    others = (" ".join(text.split()) for text in picture.sentences)
    lines = [captions.escaped(text) if recipe.caption.escape_brackets else text for text in others]
    return tuple(dict.fromkeys(line for line in (first, *lines) if line))
