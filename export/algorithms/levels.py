"""Folders of pictures by number of characters, characters and face height, in the order of a format string."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from export.algorithms.filenames import JOINER, safe_name
from export.algorithms.rows import PEOPLE_MANY, Picture, people_from_tags
from export.algorithms.spelling import CHARACTER_OTHERS, OTHERS

RATIO, SHORT_RATIO = "face_height_ratio_", "fh_"
FITTED_MIN, FITTED_MAX = 2, 10  # limits of a minimum that follows the set; 10 is the reference's
FOLDER_NAME_MAX = 100  # characters; a longer combination goes to `character_others` (reference 1.7)
TOKENS = ("n_characters", "n_faces", "n_people", "character", "fh_ratio", "series", "image_type", "episode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """How pictures are sorted into folders; the defaults are those of the reference.

    `min_per_combination`: 0 follows the set, by `fitted_minimum`.
    """

    format: str = "n_characters/character/fh_ratio"
    max_characters: int = 6
    min_per_combination: int = 10
    face_ratio_range: int = 25
    keep_source_structure: bool = False
    no_character: Literal["others", "0_characters"] = "others"
    old_spelling: bool = False
    name_clusters: bool = False  # unnamed clusters as `cluster_01` ... instead of no known character
    short_names: bool = False  # shortened folder and file names, for systems with short path limits

    def __post_init__(self) -> None:
        levels_of(self.format)
        if self.max_characters < 1:
            raise ValueError("max_characters: must be at least 1")
        if self.min_per_combination < 0:
            raise ValueError("min_per_combination: must be at least 1, or 0 to follow the set")
        if not 1 <= self.face_ratio_range <= 100:
            raise ValueError("face_ratio_range: must lie between 1 and 100")


@dataclass(frozen=True, slots=True)
class Signature:
    """All that a picture's folders depend on; pictures with equal signatures share a folder."""

    names: tuple[str, ...]
    n_faces: int
    n_people: int
    ratio_percent: int
    series: str
    image_type: str
    episode: str
    source_dirs: tuple[str, ...] = ()


def levels_of(text: str) -> tuple[str, ...]:
    """Parse the tokens of a format string such as `n_characters/character/fh_ratio`; empty means no folders.

    Raises ValueError for an unknown or repeated token.
    """
    tokens = tuple(part.strip() for part in text.strip().strip("/").split("/")) if text.strip().strip("/") else ()
    for token in tokens:
        if token not in TOKENS:
            raise ValueError(f"format: {token!r} is not a level; choose from {', '.join(TOKENS)}")
    if len(set(tokens)) != len(tokens):
        raise ValueError(f"format: a level occurs twice in {text!r}")
    return tokens


def signature_of(picture: Picture) -> Signature:
    """Return the signature of a picture; names sorted, people counted by tags, else by faces."""
    people = people_from_tags(picture.tags)
    return Signature(
        names=tuple(sorted(picture.names)),
        n_faces=len(picture.faces),
        n_people=len(picture.faces) if people is None else people,
        ratio_percent=ratio_percent(picture.face_height_ratio),
        series=picture.series,
        image_type=picture.image_type,
        episode=picture.episode,
        source_dirs=picture.source_dirs,
    )


def reduced(signature: Signature, arrangement: Arrangement) -> Signature:
    """Drop what this arrangement does not use: the folder is the same, and far fewer signatures differ."""
    tokens = levels_of(arrangement.format)
    span = arrangement.face_ratio_range
    return Signature(
        names=signature.names,
        n_faces=signature.n_faces if "n_faces" in tokens else 0,
        n_people=min(signature.n_people, PEOPLE_MANY) if "n_people" in tokens else 0,
        ratio_percent=signature.ratio_percent // span * span if "fh_ratio" in tokens else 0,
        series=signature.series if "series" in tokens else "",
        image_type=signature.image_type if "image_type" in tokens else "",
        episode=signature.episode if "episode" in tokens else "",
        source_dirs=signature.source_dirs if arrangement.keep_source_structure else (),
    )


def ratio_percent(ratio: float) -> int:
    """Return the face height ratio in percent, 0..99, floored as in the reference."""
    return min(int(max(0.0, ratio) * 100 + 1e-6), 99)


def ratio_bucket(percent: int, span: int = 25) -> str:
    """Return the folder of a face height ratio: `face_height_ratio_25-50` for 25 to 49 percent."""
    low = percent // span * span
    return f"{RATIO}{low}-{low + span}"


def count_folder(count: int, singular: str, plural: str, *, largest: int | None = None) -> str:
    """Return `1_character`, `2_characters`, and `6+_characters` from `largest` on."""
    if largest is not None and count >= largest:
        return f"{largest}+_{plural}"
    return f"{count}_{singular if count == 1 else plural}"


def combination_counts(counts: Iterable[tuple[Signature, int]]) -> Counter[tuple[str, ...]]:
    """Return the number of pictures of each combination of names, without those that show nobody known."""
    total: Counter[tuple[str, ...]] = Counter()
    for signature, count in counts:
        if signature.names:
            total[signature.names] += count
    return total


def frequent_combinations(combinations: Mapping[tuple[str, ...], int], minimum: int) -> frozenset[tuple[str, ...]]:
    """Return combinations of names with at least `minimum` pictures; all others go to `character_others`."""
    return frozenset(names for names, count in combinations.items() if count >= minimum)


def fitted_minimum(combinations: Mapping[tuple[str, ...], int]) -> int:
    """Return a minimum that gives the main characters of a small set folders: a third of the largest combination.

    With a third as many pictures, each is used three times as often for an equal share of the epoch; with fewer, single
    pictures would be learned by heart. At least 2, since one picture is no folder, and at most the reference's 10,
    which every set reaches whose largest combination has 28 pictures.
    """
    return min(FITTED_MAX, max(FITTED_MIN, -(-max(combinations.values(), default=0) // 3)))


def minimum_of(combinations: Mapping[tuple[str, ...], int], arrangement: Arrangement) -> int:
    """Return the minimum that applies: the recipe's, or the one that follows the set."""
    return arrangement.min_per_combination or fitted_minimum(combinations)


@dataclass(frozen=True, slots=True)
class MinimumTooHigh:
    """`characters` have no folder of their own, of which the largest combination has `largest` pictures; `fitted` is a
    minimum that gives folders to `gained` of them."""

    minimum: int
    largest: int
    characters: int
    fitted: int
    gained: int


def minimum_too_high(combinations: Mapping[tuple[str, ...], int], arrangement: Arrangement) -> MinimumTooHigh | None:
    """Return who goes to `character_others` only because of a minimum that is high for the set, or None."""
    minimum, fitted = minimum_of(combinations, arrangement), fitted_minimum(combinations)
    if "character" not in levels_of(arrangement.format) or fitted >= minimum:
        return None
    missing = set(without_folder(combinations, arrangement))
    gained = missing & _names_in(frequent_combinations(combinations, fitted))
    if not gained:
        return None
    largest = max(count for names, count in combinations.items() if missing.intersection(names))
    return MinimumTooHigh(minimum, largest, len(missing), fitted, len(gained))


def without_folder(combinations: Mapping[tuple[str, ...], int], arrangement: Arrangement) -> list[str]:
    """Return the names, sorted, that are only in `character_others`, since none of their combinations has enough
    pictures."""
    if "character" not in levels_of(arrangement.format):
        return []
    frequent = frequent_combinations(combinations, minimum_of(combinations, arrangement))
    return sorted({name for names in combinations for name in names} - _names_in(frequent))


def _names_in(combinations: Iterable[tuple[str, ...]]) -> set[str]:
    return {name for names in combinations for name in names}


def folder_of(
    signature: Signature,
    arrangement: Arrangement,
    frequent: frozenset[tuple[str, ...]],
    spelled: Mapping[str, str],
) -> tuple[str, ...]:
    """Return the folder of a signature, as requested names from the top down (not yet unique regardless of case).

    `spelled`: every character's spelling, from `spelling.spell` over all names of the dataset.
    """
    parts: list[str] = list(own_folders(signature, arrangement))
    for token in levels_of(arrangement.format):
        parts.extend(_level(token, signature, arrangement, frequent, spelled))
    return tuple(parts)


def own_folders(signature: Signature, arrangement: Arrangement) -> tuple[str, ...]:
    """Return the folders above the levels: series, episode and those of the input, if the recipe keeps them."""
    return signature.source_dirs if arrangement.keep_source_structure else ()


def combination_name(names: Sequence[str], spelled: Mapping[str, str]) -> str:
    """Join the spellings of the sorted names by a plus; `character_others` if that is too long for a folder."""
    joined = JOINER.join(spelled[name] for name in sorted(names))
    too_long = len(names) > 1 and (len(joined) >= FOLDER_NAME_MAX or len(joined.encode()) > FOLDER_NAME_MAX)
    return CHARACTER_OTHERS if too_long else joined


def _level(
    token: str,
    signature: Signature,
    arrangement: Arrangement,
    frequent: frozenset[tuple[str, ...]],
    spelled: Mapping[str, str],
) -> list[str]:
    if token == "n_characters":
        return [_character_count(signature, arrangement)]
    if token == "character":
        return _combination(signature, arrangement, frequent, spelled)
    if token == "fh_ratio":
        folder = ratio_bucket(signature.ratio_percent, arrangement.face_ratio_range)
        return [folder.replace(RATIO, SHORT_RATIO) if arrangement.short_names else folder]
    if token == "n_faces":
        return [count_folder(signature.n_faces, "face", "faces")]
    if token == "n_people":
        if signature.n_people >= PEOPLE_MANY:
            return ["many_people"]
        return [count_folder(signature.n_people, "person", "people")]
    value: str = getattr(signature, token)
    return [safe_name(value or f"no_{token}")]


def _character_count(signature: Signature, arrangement: Arrangement) -> str:
    count = len(signature.names)
    if count == 0 and arrangement.no_character == "others":
        return OTHERS
    folder = count_folder(count, "character", "characters", largest=arrangement.max_characters)
    return folder.replace("+_characters", "+_charcters") if arrangement.old_spelling else folder


def _combination(
    signature: Signature,
    arrangement: Arrangement,
    frequent: frozenset[tuple[str, ...]],
    spelled: Mapping[str, str],
) -> list[str]:
    if signature.names:
        return [combination_name(signature.names, spelled) if signature.names in frequent else CHARACTER_OTHERS]
    if arrangement.no_character == "0_characters":
        return [CHARACTER_OTHERS]
    # `others` stands already for the count level; without that level it has to be said here.
    return [] if "n_characters" in levels_of(arrangement.format) else [OTHERS]
