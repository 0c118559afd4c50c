"""Preview of a recipe without writing: folders, balance, ten captions; fast enough for a slider.

Picture counts by signature are cached briefly; a changed weight is arithmetic on a few hundred rows.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.cache import cache

from export.actions.jobs import default_name
from export.algorithms.balance import Balance, FolderShare, weight_of
from export.algorithms.captions import Piece
from export.algorithms.filenames import safe_name, short_stem
from export.algorithms.levels import (
    MinimumTooHigh,
    Signature,
    combination_counts,
    fitted_minimum,
    levels_of,
    minimum_of,
    minimum_too_high,
    reduced,
    signature_of,
    without_folder,
)
from export.algorithms.parts import Part, parts_of
from export.algorithms.plan import balance_of, caption_pieces_of, captions_of, folders_for
from export.algorithms.presets import preset_of
from export.algorithms.recipe import Recipe
from export.algorithms.rows import Picture
from export.algorithms.selection import reason_left_out
from export.algorithms.upscaling import pass_warnings
from export.build import rows_from_database, upscaling
from export.build.path_lengths import Length, PathLengths, length_below, length_of
from export.formats.registry import format_of, warnings_of
from export.preview.example_faces import ExampleFace, FaceProgress, example_faces_of, progress_of
from export.preview.selected import selected_frames
from ingest.models import Collection, Frame
from ingest.stamp import stamp

KEEP_S = 300
ROWS_MAX = 400
EXAMPLES = 10
FACE_EXAMPLES = 5  # where only faces are exported: a model may upscale each
EXAMPLE_KEYS = 200  # frames that the examples are taken from in turn
HUES = 12

Path = tuple[str, ...]
Stem = tuple[Length, Length]  # lengths of a file name, and of its short form


@dataclass(frozen=True, slots=True)
class Counted:
    """Pictures by signature, left out ones by reason, upscaled ones by passes; and the lengths of their names.

    `with_extras`: how many show a named character and also a face without a name.
    """

    counts: dict[Signature, int]
    left_out: dict[str, int]
    upscaled: dict[int, int]
    stems: dict[Signature, Counter[Stem]]
    with_extras: int = 0


@dataclass(slots=True)
class TreeRow:
    """A folder of the tree with the sums of what lies below it; `leaf` when it holds pictures itself."""

    path: Path
    pictures: int = 0
    probability: float = 0.0
    epoch: float = 0.0
    share: FolderShare | None = None
    weight: float = 1.0

    @property
    def name(self) -> str:
        return self.path[-1] if self.path else "all in one folder"

    @property
    def weight_text(self) -> str:
        return f"{self.weight:g}"

    @property
    def depth(self) -> int:
        return max(0, len(self.path) - 1)


@dataclass(frozen=True, slots=True)
class ShownPiece:
    """A piece of an example's caption; `tail` is what follows it without a space, such as a comma."""

    text: str
    tag: str = ""
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the two bars of the chart: width of the pictures and of the epoch, in percent."""

    name: str
    hue: int
    pictures: float
    epoch: float


@dataclass(slots=True)
class Preview:
    """All that the preview on the export page shows."""

    balance: Balance
    rows: list[TreeRow]
    hidden: int
    segments: list[Segment]
    left_out: dict[str, int]
    warnings: list[str]
    minimum: MinimumTooHigh | None = None
    fewest: int = 0  # pictures of a combination that has a folder
    in_others: list[str] = field(default_factory=list)  # names that have no folder of their own
    with_extras: int = 0  # pictures in the folders of characters that also show a face without a name
    fitted: list[str] = field(default_factory=list)  # what follows the set, in words
    long_paths: tuple[str, ...] = ()  # warnings that short names may remove
    examples: list[dict[str, Any]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  # folders that can have a weight
    upscaler: str = ""
    faces: FaceProgress | None = None  # where a model enlarges the example faces
    upscaled: list[tuple[int, int]] = field(default_factory=list)  # passes and how many pictures need them


def preview(collection: Collection, recipe: Recipe, *, page: int = 0) -> Preview:
    """Return the preview of a recipe for the current collection; `page` selects the examples."""
    cache_stamp = stamp(collection)
    totals = counted(collection, recipe, cache_stamp=cache_stamp)
    counts, upscaled = totals.counts, totals.upscaled
    folders = folders_for(counts, recipe.arrange)
    combinations = combination_counts(counts.items())
    result = balance_of(counts, folders, recipe)
    lengths = _path_lengths(collection, recipe, totals, folders, result)
    warnings = [*pass_warnings(upscaled), *warnings_of(recipe, result)]
    if recipe.arrange.short_names:
        warnings += lengths.warnings  # short names would not help
    rows = _tree(result, recipe)
    example_rows = examples(collection, recipe, cache_stamp=cache_stamp, page=page)
    return Preview(
        balance=result,
        rows=rows[:ROWS_MAX],
        hidden=max(0, len(rows) - ROWS_MAX),
        segments=_segments(result),
        left_out=totals.left_out,
        warnings=warnings,
        minimum=minimum_too_high(combinations, recipe.arrange),
        fewest=minimum_of(combinations, recipe.arrange),
        in_others=without_folder(combinations, recipe.arrange),
        with_extras=totals.with_extras,
        fitted=_fitted(recipe, combinations, result),
        long_paths=() if recipe.arrange.short_names else lengths.warnings,
        examples=example_rows,
        faces=progress_of([e["face"] for e in example_rows if e["face"] is not None]),
        upscaler=upscaling.name_of(collection, recipe) if upscaled else "",
        upscaled=sorted(upscaled.items()),
        names=sorted({part for path in folders.values() for part in path})[:ROWS_MAX],
    )


def _fitted(recipe: Recipe, combinations: Mapping[tuple[str, ...], int], result: Balance) -> list[str]:
    settings = []
    if combinations and not recipe.arrange.min_per_combination and "character" in levels_of(recipe.arrange.format):
        settings.append(f"at least {fitted_minimum(combinations)} pictures per combination")
    if not recipe.balance.max_multiply and any(row.clipped for row in result.folders):
        settings.append(f"each picture at most {result.max_multiply:g} times per epoch")
    return settings


def counted(collection: Collection, recipe: Recipe, *, cache_stamp: str) -> Counted:
    """Return pictures by signature after selection and crops, left out ones by reason, and by upscaling passes.

    Cached until something changes, twice: for all arrangements, and the much smaller part for this one.
    """
    more = json.dumps(recipe.as_dict()["arrange"]) + _factor_text(collection, recipe)
    small = _key("folders", cache_stamp, recipe, more)
    known: Counted | None = cache.get(small)
    if known is None:
        every = _counted(collection, recipe, cache_stamp)
        counts: Counter[Signature] = Counter()
        stems: dict[Signature, Counter[Stem]] = defaultdict(Counter)
        for signature, count in every.counts.items():
            small_one = reduced(signature, recipe.arrange)
            counts[small_one] += count
            stems[small_one].update(every.stems[signature])
        known = Counted(dict(counts), every.left_out, every.upscaled, dict(stems), every.with_extras)
        cache.set(small, known, KEEP_S)
    return known


def is_counted(collection: Collection, recipe: Recipe) -> bool:
    """Return whether a preview can use cached counts instead of reading every frame."""
    return _key("pictures", stamp(collection), recipe, _factor_text(collection, recipe)) in cache


def _factor_text(collection: Collection, recipe: Recipe) -> str:
    return str(upscaling.factor_of(collection, recipe))


def _key(kind: str, cache_stamp: str, recipe: Recipe, more: str = "") -> str:
    sections = recipe.as_dict()
    cuts = [sections[name] for name in ("selection", "crops", "face_set", "upscale")]
    parts = [kind, *cuts, recipe.arrange.name_clusters, cache_stamp, more]
    return "preview-3:" + hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _counted(collection: Collection, recipe: Recipe, cache_stamp: str) -> Counted:
    factor = upscaling.factor_of(collection, recipe)
    key = _key("pictures", cache_stamp, recipe, str(factor))
    known: Counted | None = cache.get(key)
    if known is not None:
        return known
    counts: Counter[Signature] = Counter()
    reasons: Counter[str] = Counter(rows_from_database.left_out(collection))
    upscaled: Counter[int] = Counter()
    stems: dict[Signature, Counter[Stem]] = defaultdict(Counter)
    with_extras = 0
    picture_alone = not (recipe.crops.enabled or recipe.face_set.enabled or recipe.upscale.below)
    for picture in rows_from_database.pictures(collection, name_clusters=recipe.arrange.name_clusters, tags=False):
        reason = reason_left_out(picture, recipe.selection)
        if reason is not None:
            reasons[reason] += 1
            continue
        if picture_alone:  # most recipes; a third faster
            signature = signature_of(picture)
            counts[signature] += 1
            stems[signature][_stem(picture)] += 1
            with_extras += _shows_extras(picture)
            if picture.passes:
                upscaled[picture.passes] += 1
            continue
        parts, faces_out = parts_of(picture, recipe, factor=factor)
        for part in parts:
            signature = signature_of(part.picture)
            counts[signature] += 1
            stems[signature][_stem(part.picture)] += 1
            with_extras += _shows_extras(part.picture)
        upscaled.update(total for part in parts if (total := part.picture.passes + part.passes))
        reasons.update(faces_out)
    totals = Counted(dict(counts), dict(sorted(reasons.items())), dict(upscaled), dict(stems), with_extras)
    cache.set(key, totals, KEEP_S)
    return totals


def _shows_extras(picture: Picture) -> bool:
    """Whether the folder of a character gets a picture with somebody else on it."""
    return bool(picture.unnamed_faces and picture.names)


def _stem(picture: Picture) -> Stem:
    return length_of(picture.stem), length_of(short_stem(picture.stem))


def _path_lengths(
    collection: Collection, recipe: Recipe, totals: Counted, folders: dict[Signature, Path], result: Balance
) -> PathLengths:
    """Path lengths of the dataset under its default name, without the numbers that distinguish equal names."""
    written = format_of(recipe).folders(result)
    preset = preset_of(recipe)
    name = default_name(collection, preset.label if preset else "Recipe")
    lengths = PathLengths(top=length_of(safe_name(name, limit_bytes=80)))
    for signature, stems in totals.stems.items():
        for (full, short), count in stems.items():
            stem = short if recipe.arrange.short_names else full
            folder = folders[signature]
            lengths.add(length_below(written.get(folder, folder), stem, recipe), count)
    return lengths


def examples(collection: Collection, recipe: Recipe, *, cache_stamp: str, page: int = 0) -> list[dict[str, Any]]:
    """Ten pictures, or five faces, with their captions, spread over the collection; another page shows others.

    `pieces`: the caption; `lines`: those that follow it in its file.
    """
    frame_parts = _examples(collection, recipe, cache_stamp=cache_stamp, page=page)
    faces: dict[int, ExampleFace] = {}
    with_crop = [(index, part) for index, (_, part) in enumerate(frame_parts) if part.crop is not None]
    for (index, _), face in zip(
        with_crop, example_faces_of(collection, recipe, [part for _, part in with_crop]), strict=True
    ):
        faces[index] = face
    return [
        {
            "frame": frame,
            "face": faces.get(index),
            "side": part.crop.side if part.crop is not None else 0,
            "passes": part.passes,
            **_caption(part.picture, recipe),
            "by_person": part.picture.caption is not None,
        }
        for index, (frame, part) in enumerate(frame_parts)
    ]


def _caption(picture: Picture, recipe: Recipe) -> dict[str, Any]:
    pieces = caption_pieces_of(picture, recipe)
    first = "".join(piece.text for piece in pieces)
    return {"pieces": _with_tails(pieces), "lines": [line for line in captions_of(picture, recipe) if line != first]}


def _with_tails(pieces: Iterable[Piece]) -> list[ShownPiece]:
    """The pieces, each with the signs of the separator after it (up to its space): a line must not begin with these."""
    shown: list[ShownPiece] = []
    for piece in pieces:
        text = piece.text
        if shown and not piece.tag and not shown[-1].tail:
            rest = text.lstrip(",;.|")
            shown[-1] = replace(shown[-1], tail=text[: len(text) - len(rest)])
            text = rest
        shown.append(ShownPiece(text, piece.tag))
    return shown


def example_faces(collection: Collection, recipe: Recipe, *, page: int = 0) -> list[Part]:
    """The faces among the examples of a page."""
    frame_parts = _examples(collection, recipe, cache_stamp=stamp(collection), page=page)
    return [part for _, part in frame_parts if part.crop is not None]


def _examples(collection: Collection, recipe: Recipe, *, cache_stamp: str, page: int) -> list[tuple[Frame, Part]]:
    keys = _example_keys(collection, recipe, cache_stamp)
    number_of_keys = FACE_EXAMPLES if _is_faces_only(recipe) else EXAMPLES
    step = max(1, len(keys) // number_of_keys)
    chosen = {keys[(number * step + page * 7) % len(keys)] for number in range(min(number_of_keys, len(keys)))}
    rows = list(Frame.objects.filter(pk__in=chosen).select_related("episode__source").order_by("pk"))
    pictures = rows_from_database.pictures_of(rows, name_clusters=recipe.arrange.name_clusters)
    factor = upscaling.factor_of(collection, recipe)
    return [
        (frame, part)
        for frame, picture in zip(rows, pictures, strict=True)
        for part in _parts_of_example(picture, recipe, factor=factor)
    ]


def _parts_of_example(picture: Picture, recipe: Recipe, *, factor: int) -> list[Part]:
    """The part that represents a picture: the picture itself, or its first face where only faces are exported."""
    if not _is_faces_only(recipe):
        return [Part(picture)]
    return parts_of(picture, recipe, factor=factor)[0][:1]


def _is_faces_only(recipe: Recipe) -> bool:
    return recipe.face_set.enabled and not recipe.face_set.whole


def _example_keys(collection: Collection, recipe: Recipe, cache_stamp: str) -> list[int]:
    """Keys of up to 200 exported frames, evenly spaced over the collection."""
    name = _key("examples", cache_stamp, recipe)
    known: list[int] | None = cache.get(name)
    if known is not None:
        return known
    keys = list(selected_frames(collection, recipe).order_by("pk").values_list("pk", flat=True))
    keys_spread = keys[:: max(1, len(keys) // EXAMPLE_KEYS)][:EXAMPLE_KEYS]
    cache.set(name, keys_spread, KEEP_S)
    return keys_spread


def _tree(result: Balance, recipe: Recipe) -> list[TreeRow]:
    rows: dict[Path, TreeRow] = {}
    for share in result.folders:
        for depth in range(1 if share.path else 0, len(share.path) + 1):
            path = share.path[:depth]
            row = rows.setdefault(path, TreeRow(path, weight=weight_of(path, recipe.balance.weights)))
            row.pictures += share.pictures
            row.probability += share.probability
            row.epoch += share.epoch_share
        rows[share.path].share = share
    return [rows[path] for path in sorted(rows)]


def _segments(result: Balance) -> list[Segment]:
    """Sums over the first two levels, largest first; the many small ones are combined."""
    sums: dict[str, list[float]] = {}
    for share in result.folders:
        name = " / ".join(share.path[:2]) or "all in one folder"
        pair = sums.setdefault(name, [0.0, 0.0])
        pair[0] += 100 * share.pictures / max(1, result.pictures)
        pair[1] += 100 * share.epoch_share
    ordered = sorted(sums.items(), key=lambda entry: (-max(entry[1]), entry[0]))
    largest, rest = ordered[: HUES - 1], ordered[HUES - 1 :]
    segments = [Segment(name, hue, pair[0], pair[1]) for hue, (name, pair) in enumerate(largest)]
    if rest:
        pictures, epoch = (sum(pair[column] for _, pair in rest) for column in (0, 1))
        segments.append(Segment(f"{len(rest)} more", HUES - 1, pictures, epoch))
    return segments
