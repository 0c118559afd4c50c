"""From stored answers to the tags of frames: what follows is merged, filtered, and written where it differs.

A person's yes or no stays and is not said again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotate.algorithms.tag_rules import Label, tag_name
from annotate.models import FrameTag, Tag, TagAlias, TagCategory, TagState
from annotate.stages.side_tags import RATINGS, tags_beside

CATEGORIES = {
    "general": TagCategory.GENERAL, "artist": TagCategory.ARTIST, "copyright": TagCategory.COPYRIGHT,
    "character": TagCategory.CHARACTER,
}  # fmt: skip
RATING_TAGS = frozenset(f"rating:{name}" for name in RATINGS.values())
BATCH = 500
Dropping = Callable[[list[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Said:
    """One tag of a frame: name, category, score, and the key of the model version that gave it."""

    name: str
    category: int
    score: float
    version: int


def merged(
    followed: Iterable[tuple[int, Sequence[tuple[Label, float]]]],
    measures: Mapping[str, Any],
    *,
    side_file: int,
    dropping: Dropping | None = None,
) -> list[Said]:
    """Tags of one frame from what follows by version key, and from the tag file beside the picture.

    Of two that say the same the surer one is the origin. The file has the last word over models, also on the rating.
    `dropping` gives those of the models' general tags that stay.
    """
    tags: dict[str, Said] = {}
    for version, labels in followed:
        for label, score in labels:
            name = tag_name(label)
            if name not in tags or tags[name].score < score:
                tags[name] = Said(name, CATEGORIES.get(label.category, TagCategory.META), score, version)
    if dropping is not None:
        general = [name for name, one in tags.items() if one.category == TagCategory.GENERAL]
        stay = set(dropping(general))
        tags = {name: one for name, one in tags.items() if one.category != TagCategory.GENERAL or name in stay}
    beside = tags_beside(dict(measures))
    if RATING_TAGS & beside.keys():
        tags = {name: one for name, one in tags.items() if name not in RATING_TAGS}
    for name, category in beside.items():
        tags[name] = Said(name, category, 1.0, side_file)
    return list(tags.values())


def write(said: Mapping[int, Sequence[Said]], keys: dict[str, int]) -> int:
    """Make the machine's tags of these frames (by key) what is said; returns how many there are.

    `keys` remembers tag keys by name from call to call. Rows that are right already are not touched.
    """
    categories = {one.name: one.category for tags in said.values() for one in tags}
    keys |= tag_keys({name: category for name, category in categories.items() if name not in keys})
    wanted: dict[tuple[int, int], Said] = {}
    for frame, tags in said.items():
        for one in sorted(tags, key=lambda tag: (-tag.score, tag.name)):
            wanted.setdefault((frame, keys[one.name]), one)
    gone: list[int] = []
    changed: list[FrameTag] = []
    rows = FrameTag.objects.filter(frame__in=list(said))
    columns = rows.values_list("pk", "frame_id", "tag_id", "by_person", "state", "score", "model_version_id")
    for key, frame, tag, by_person, *before in columns:
        told = wanted.pop((frame, tag), None)
        if by_person:
            continue
        if told is None:
            gone.append(key)
        elif before != [TagState.YES, told.score, told.version]:
            changed.append(FrameTag(pk=key, state=TagState.YES, score=told.score, model_version_id=told.version))
    for start in range(0, len(gone), BATCH):
        FrameTag.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    FrameTag.objects.bulk_update(changed, ["state", "score", "model_version"], batch_size=BATCH)
    fresh = [
        FrameTag(frame_id=frame, tag_id=tag, state=TagState.YES, score=one.score, model_version_id=one.version)
        for (frame, tag), one in wanted.items()
    ]
    FrameTag.objects.bulk_create(fresh, batch_size=BATCH)
    return sum(map(len, said.values()))


def tag_keys(categories: Mapping[str, int]) -> dict[str, int]:
    """Keys of the tags by the names that models use; unknown tags are made with their category, aliases followed."""
    keys: dict[str, int] = {}
    for start in range(0, len(names := sorted(categories)), BATCH):
        part = names[start : start + BATCH]
        keys |= dict(Tag.objects.filter(name__in=part).values_list("name", "pk"))
        others = [name for name in part if name not in keys]
        keys |= dict(TagAlias.objects.filter(name__in=others).values_list("name", "tag_id"))
        missing = [name for name in others if name not in keys]
        if missing:
            Tag.objects.bulk_create([Tag(name=n, category=categories[n]) for n in missing], ignore_conflicts=True)
            keys |= dict(Tag.objects.filter(name__in=missing).values_list("name", "pk"))
    return keys
