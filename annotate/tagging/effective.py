"""Effective tags of frames: tags accepted from stored answers are merged, filtered and written where they differ.

A person's label always stays, and machine tags never repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from annotate.actions.model_versions import version_of
from annotate.algorithms.contradictions import contradicting
from annotate.algorithms.tag_rules import Label, tag_name
from annotate.backends.contract import ModelInfo
from annotate.models import FrameTag, Tag, TagAlias, TagCategory, TagState
from annotate.tagging.from_files import FileFactsOfFrame, tags_of

CATEGORIES = {
    "general": TagCategory.GENERAL, "artist": TagCategory.ARTIST, "copyright": TagCategory.COPYRIGHT,
    "character": TagCategory.CHARACTER,
}  # fmt: skip
# Origins of tags that are not models.
SIDE_FILE = ModelInfo(task="tags", name="tag file", revision="2", licence="of the file")
COPY_FILE = ModelInfo(task="tags", name="tag file of a copy", revision="1", licence="of the file")
COPY_PERSON = ModelInfo(task="tags", name="a person, on a copy", revision="1", licence="of the collection")
BATCH = 500
Dropping = Callable[[list[str]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class SourcedTag:
    """One tag of a frame: name, category, score, and the key of the model version it comes from."""

    name: str
    category: int
    score: float
    version: int


@dataclass(frozen=True, slots=True)
class Origins:
    """Keys of the version rows of origins that are not models."""

    side_file: int
    copy_file: int
    copy_person: int

    @classmethod
    def rows(cls) -> Origins:
        """Return the keys; create missing rows."""
        return cls(*(version_of(info).pk for info in (SIDE_FILE, COPY_FILE, COPY_PERSON)))


def merged(
    followed: Iterable[tuple[int, Sequence[tuple[Label, float]]]],
    file_facts: FileFactsOfFrame | None = None,
    *,
    origins: Origins,
    people: Collection[str] = (),
    scheme: str = "",
    dropping: Dropping | None = None,
) -> list[SourcedTag]:
    """Merge the tags of one frame: accepted tags by version key, and tags from files of the frame and its dropped
    copies.

    Of two models with the same tag, the one with the higher score is the origin. Precedence, lowest first: models,
    files of copies, files of the frame, people's labels of copies, people's labels (`people`) of the frame. A tag that
    contradicts one of a higher level is dropped (`algorithms.contradictions`). `scheme`: of the source's ratings.
    `dropping` selects which of the models' general tags stay.
    """
    tags: dict[str, SourcedTag] = {}
    for version, labels in followed:
        for label, score in labels:
            name = tag_name(label)
            if name not in tags or tags[name].score < score:
                tags[name] = SourcedTag(name, CATEGORIES.get(label.category, TagCategory.META), score, version)
    if dropping is not None:
        general = [name for name, tag in tags.items() if tag.category == TagCategory.GENERAL]
        stay = set(dropping(general))
        tags = {name: tag for name, tag in tags.items() if tag.category != TagCategory.GENERAL or name in stay}
    above = set(people)
    layers = [] if file_facts is None else _layers(file_facts, origins, scheme)
    denied = set() if file_facts is None else {name for (name, _), yes in file_facts.people.items() if not yes}
    result: dict[str, SourcedTag] = {}
    for layer in [*layers, tags]:
        wrong = contradicting(layer, above) | (denied - above)
        if any(tag.category == TagCategory.CHARACTER for tag in result.values()):
            wrong.add("no_humans")  # a higher level names a character
        stays = {name: tag for name, tag in layer.items() if name not in wrong}
        result |= {name: tag for name, tag in stays.items() if name not in result}
        above |= stays.keys()
    return list(result.values())


def _layers(file_facts: FileFactsOfFrame, origins: Origins, scheme: str) -> list[dict[str, SourcedTag]]:
    """Return the levels above the models, highest first."""
    people = {
        name: SourcedTag(name, category, 1.0, origins.copy_person)
        for (name, category), yes in file_facts.people.items()
        if yes
    }
    from_own_files = {
        name: SourcedTag(name, category, 1.0, origins.side_file)
        for name, category in tags_of(file_facts.own_facts, scheme=scheme).items()
    }
    copies = [
        {
            name: SourcedTag(name, category, 1.0, origins.copy_file)
            for name, category in tags_of(facts, scheme=scheme).items()
        }
        for facts in file_facts.copies.values()
    ]
    return [people, from_own_files, *copies]


def write(tags_by_frame: Mapping[int, Sequence[SourcedTag]], keys: dict[str, int]) -> int:
    """Replace the machine tags of these frames (by key); return their number.

    `keys` caches tag keys by name across calls. Rows that are already right are not touched.
    """
    categories = {sourced.name: sourced.category for tags in tags_by_frame.values() for sourced in tags}
    keys |= tag_keys({name: category for name, category in categories.items() if name not in keys})
    to_write: dict[tuple[int, int], SourcedTag] = {}
    for frame, tags in tags_by_frame.items():
        for sourced in sorted(tags, key=lambda tag: (-tag.score, tag.name)):
            to_write.setdefault((frame, keys[sourced.name]), sourced)
    gone: list[int] = []
    changed: list[FrameTag] = []
    rows = FrameTag.objects.filter(frame__in=list(tags_by_frame))
    columns = rows.values_list("pk", "frame_id", "tag_id", "by_person", "state", "score", "model_version_id")
    for key, frame, tag, by_person, *before in columns:
        new_tag = to_write.pop((frame, tag), None)
        if by_person:
            continue
        if new_tag is None:
            gone.append(key)
        elif before != [TagState.YES, new_tag.score, new_tag.version]:
            changed.append(FrameTag(pk=key, state=TagState.YES, score=new_tag.score, model_version_id=new_tag.version))
    for start in range(0, len(gone), BATCH):
        FrameTag.objects.filter(pk__in=gone[start : start + BATCH]).delete()
    FrameTag.objects.bulk_update(changed, ["state", "score", "model_version"], batch_size=BATCH)
    fresh = [
        FrameTag(frame_id=frame, tag_id=tag, state=TagState.YES, score=sourced.score, model_version_id=sourced.version)
        for (frame, tag), sourced in to_write.items()
    ]
    FrameTag.objects.bulk_create(fresh, batch_size=BATCH)
    return sum(map(len, tags_by_frame.values()))


def tag_keys(categories: Mapping[str, int]) -> dict[str, int]:
    """Return tag keys by the names models use; aliases are resolved, unknown tags created with their category."""
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
