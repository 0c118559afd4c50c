"""Rename, merge and remove tags on all frames of a collection, or on those of a filter: first counted, then as one
operation, which one undo takes back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from annotate.actions.tags import BATCH, by_name, clean_name, decide, resolve
from annotate.models import FrameTag, Tag, TagState
from ingest.actions import history
from ingest.errors import BadInput
from ingest.humane import count
from ingest.models import Collection, Frame, Operation

TAGS_MAX = 500  # of one change
ROWS_MAX = 20_000  # tags on frames of one change: the history holds two rows for each
NAMED = 4  # tags that the history's summary names
NOT_HERE = Q(state=TagState.NO, by_person=True)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one tag on how many frames: it gets a new name, or none ("") and is removed.

    `already`: how many of these frames have the new tag; `refused`: on how many of them a person removed it.
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
    rows = _rows(frames, collection).filter(tag__in=wanted)
    changes = []
    for key, number in rows.values_list("tag_id").annotate(n=Count("pk")).order_by():
        tag, new_name = wanted[key]
        already = refused = 0
        if new_name:
            other = FrameTag.objects.filter(frame=OuterRef("frame"), tag__name=new_name)
            already = rows.filter(Exists(other.filter(state=TagState.YES)), tag_id=key).count()
            refused = rows.filter(Exists(other.filter(NOT_HERE)), tag_id=key).count()
        changes.append(Change(tag.name, new_name, number, already, refused))
    return sorted(changes, key=lambda change: (-change.frames, change.name))


def apply(
    *, collection: Collection, names: Mapping[str, str], frames: QuerySet[Frame] | None, by: Any, key: str = ""
) -> Operation:
    """Replace tags as `planned` says, as one operation.

    The old tag is marked as wrong on each frame, so that no model brings it back there; the new one is a person's.
    Where a person removed the new tag it stays removed. Other tags of the frames stay as they are, also those that a
    new tag contradicts: the dry run shows all that changes.
    BadInput when no frame has any of the tags, or more than ROWS_MAX rows would change.
    """
    with history.operation(collection=collection, by=by, kind="tags.replace", summary="", key=key) as record:
        wanted = _resolved(collection, names)
        rows = _rows(frames, collection)
        number = rows.filter(tag__in=wanted).count()
        if not number:
            raise BadInput("No frame has these tags any more. Nothing was changed.")
        if number > ROWS_MAX:
            raise BadInput(
                f"This would change {number:,} tags on frames; at most {ROWS_MAX:,} can be changed at once. Select "
                "fewer tags, or narrow the frames, for example to an episode."
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
            for part in _batches(keys):
                list(Frame.objects.select_for_update().filter(pk__in=part).order_by("pk").values_list("pk"))
                decide(record, part, [wanted[pk][0]], state=TagState.NO, by=by)
        for pk, keys in fitting.items():
            new_tag = new_tags[wanted[pk][1]]
            for part in _batches(keys):
                decide(record, part, [new_tag], state=TagState.YES, by=by)
        frame_count = len({frame for keys in found.values() for frame in keys})
        record.operation.summary = _summary([wanted[pk] for pk, keys in found.items() if keys], frame_count)
    return record.operation


def _frames_of(rows: QuerySet[FrameTag]) -> list[int]:
    return list(rows.order_by("frame").values_list("frame", flat=True))


def _refusals(tag: Tag) -> QuerySet[FrameTag]:
    return FrameTag.objects.filter(NOT_HERE, frame=OuterRef("frame"), tag=tag)


def _batches(keys: list[int]) -> Iterator[list[int]]:
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


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
