"""Rename, merge and remove tags on all frames of a collection, or on those of a filter: first counted, then as one
operation, which one undo takes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import BigIntegerField, Case, Count, Exists, OuterRef, Q, QuerySet, Value, When

from annotate.actions.batches import batches
from annotate.actions.tags import by_name, clean_name, decide, resolve
from annotate.models import FrameTag, Tag, TagCount, TagState
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.humane import count
from ingest.models import Collection, Frame, Operation

TAGS_MAX = 500  # of one change
ROWS_MAX = 20_000  # tags on frames of one change: the history holds two rows for each
NAMED = 4  # tags that the history's summary names
NOT_HERE = Q(state=TagState.NO, by_person=True)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one tag on how many frames: it gets a new name, or none ("") and is removed.

    `already`: how many of these frames have the new tag; `refused`: on how many of them a person removed it. Both are 0
    where more than ROWS_MAX rows would change, which `apply` refuses.
    """

    name: str
    new_name: str
    frames: int
    already: int = 0
    refused: int = 0


def planned(*, collection: Collection, names: Mapping[str, str], frames: QuerySet[Frame] | None) -> list[Change]:
    """What `apply` would do, tags without a frame left out; most frames first. Writes nothing.

    `names`: tag to new name, which may be an alias; an empty one removes the tag. `frames`: None means all of the
    collection. BadInput for a name that cannot be a tag, and for too many tags.
    """
    wanted = _resolved(collection, names)
    numbers = _frame_counts(collection, frames, wanted)
    clashes = _clashes(_rows(frames, collection), wanted) if sum(numbers.values()) <= ROWS_MAX else {}
    changes = []
    for key, number in numbers.items():
        tag, new_name = wanted[key]
        changes.append(Change(tag.name, new_name, number, *clashes.get(key, (0, 0))))
    return sorted(changes, key=lambda change: (-change.frames, change.name))


def _frame_counts(collection: Collection, frames: QuerySet[Frame] | None, tags: Iterable[int]) -> dict[int, int]:
    """On how many of the frames each tag is, without tags on none. For a whole collection the counters know."""
    if frames is None:
        counts = TagCount.objects.filter(
            collection_id=collection.pk, tag_id__in=list(tags), state=TagState.YES, n__gt=0
        )
        return dict(counts.values_list("tag_id", "n"))
    rows = _rows(frames, collection).filter(tag__in=list(tags)).order_by()
    return dict(rows.values_list("tag_id").annotate(n=Count("pk")))


def _clashes(rows: QuerySet[FrameTag], wanted: Mapping[int, tuple[Tag, str]]) -> dict[int, tuple[int, int]]:
    """By tag on how many frames its new one is already, and was removed by a person. One query for all tags."""
    new_names = {key: new_name for key, (_, new_name) in wanted.items() if new_name}
    new_keys = dict(Tag.objects.filter(name__in=set(new_names.values())).values_list("name", "pk"))
    pairs = [When(tag=key, then=Value(new_keys[name])) for key, name in new_names.items() if name in new_keys]
    if not pairs:
        return {}
    new_tag = Case(*pairs, output_field=BigIntegerField())
    other = FrameTag.objects.filter(frame=OuterRef("frame"), tag=OuterRef("new_tag"))
    counted = rows.filter(tag__in=list(new_names)).alias(new_tag=new_tag).order_by().values("tag_id")
    counted = counted.annotate(
        already=Count("pk", filter=Exists(other.filter(state=TagState.YES))),
        refused=Count("pk", filter=Exists(other.filter(NOT_HERE))),
    )
    return {key: (already, refused) for key, already, refused in counted.values_list("tag_id", "already", "refused")}


def rows_by_episode(
    *, collection: Collection, names: Mapping[str, str], frames: QuerySet[Frame] | None
) -> dict[int, int]:
    """How many rows `apply` would change by the episode's key, to narrow a change that is too large."""
    rows = _rows(frames, collection).filter(tag__in=_resolved(collection, names))
    return dict(rows.values_list("frame__episode").annotate(n=Count("pk")).order_by("frame__episode"))


def apply(
    *, collection: Collection, names: Mapping[str, str], frames: QuerySet[Frame] | None, by: Any,
    rows_shown: int | None = None, key: str = "",
) -> Operation:  # fmt: skip
    """Replace tags as `planned` says, as one operation.

    The old tag is marked as wrong on each frame, so that no model brings it back there; the new one is a person's.
    Where a person removed the new tag it stays removed. Other tags of the frames stay as they are, also those that a
    new tag contradicts: the dry run shows all that changes.
    BadInput when no frame has any of the tags, or more than ROWS_MAX rows would change; Conflict when more would than
    the `rows_shown` of the dry run.
    """
    with history.operation(collection=collection, by=by, kind="tags.replace", summary="", key=key) as record:
        wanted = _resolved(collection, names)
        rows = _rows(frames, collection)
        number = sum(_frame_counts(collection, frames, wanted).values())
        if not number:
            raise BadInput("No frame has these tags any more. Nothing was changed.")
        if number > ROWS_MAX:
            raise BadInput(
                f"This would change {number:,} tags on frames; at most {ROWS_MAX:,} can be changed at once. Select "
                "fewer tags, or narrow the frames, for example to an episode."
            )
        if rows_shown is not None and number > rows_shown:
            raise Conflict(
                f"By now {number:,} tags on frames would change, {number - rows_shown:,} more than the preview showed. "
                "Nothing was changed; preview again."
            )
        new_tags = {tag.name: tag for tag in resolve({new for _, new in wanted.values() if new}, make=True)}
        # All are read before the first is written: of a chain (a to b, b to c) each frame goes one step.
        found = {pk: _frames_of(rows.filter(tag_id=pk)) for pk in wanted}
        fitting = {
            pk: _frames_of(rows.filter(tag_id=pk).exclude(Exists(_refusals(new_tags[new_name]))))
            for pk, (_, new_name) in wanted.items()
            if new_name
        }
        for pk, keys in found.items():
            for part in batches(keys):
                list(Frame.objects.select_for_update().filter(pk__in=part).order_by("pk").values_list("pk"))
                decide(record, part, [wanted[pk][0]], state=TagState.NO, by=by)
        for pk, keys in fitting.items():
            new_tag = new_tags[wanted[pk][1]]
            for part in batches(keys):
                decide(record, part, [new_tag], state=TagState.YES, by=by)
        frame_count = len({frame for keys in found.values() for frame in keys})
        record.operation.summary = _summary([wanted[pk] for pk, keys in found.items() if keys], frame_count)
    return record.operation


def _frames_of(rows: QuerySet[FrameTag]) -> list[int]:
    return list(rows.order_by("frame").values_list("frame", flat=True))


def _refusals(tag: Tag) -> QuerySet[FrameTag]:
    return FrameTag.objects.filter(NOT_HERE, frame=OuterRef("frame"), tag=tag)


def _rows(frames: QuerySet[Frame] | None, collection: Collection) -> QuerySet[FrameTag]:
    """What is said of the frames."""
    yes = FrameTag.objects.filter(state=TagState.YES)
    if frames is None:
        return yes.filter(frame__collection=collection)
    return yes.filter(frame__in=frames.order_by().values("pk"), frame__collection=collection)


def _resolved(collection: Collection, names: Mapping[str, str]) -> dict[int, tuple[Tag, str]]:
    """Tags of the collection by key, each with its new name, aliases followed; those that keep their name left out."""
    if len(names) > TAGS_MAX:
        raise BadInput(f"{count(len(names), 'tag')} at once; at most {TAGS_MAX} can be changed together.")
    new_names = {name: clean_name(new) if new else "" for name, new in names.items()}
    known = by_name(set(new_names.values()), Tag.objects.all())
    meant = {new: known[new].name if new in known else new for new in new_names.values()}
    tags = Tag.objects.visible_in(collection.pk).filter(name__in=new_names)
    return {tag.pk: (tag, meant[new_names[tag.name]]) for tag in tags if meant[new_names[tag.name]] != tag.name}


def _summary(changes: list[tuple[Tag, str]], frame_count: int) -> str:
    words = [f"{tag.name} → {new}" if new else f"-{tag.name}" for tag, new in changes]
    if len(words) > NAMED:
        words = [*words[:NAMED], f"and {len(words) - NAMED:,} more"]
    return f"Tags {', '.join(words)} on {count(frame_count, 'frame')}"
