"""Add and remove tags of frames.

A form sends the tags that the page showed and the new ones; only the difference is applied to the current tags, so two
people who edit different tags of one frame never revert each other.
"""

from __future__ import annotations

from collections.abc import Collection as Collected
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import QuerySet

from annotate.actions.batches import BATCH, batches
from annotate.actions.naming import refuse_unstorable
from annotate.algorithms.contradictions import contradicting
from annotate.models import FrameTag, Tag, TagAlias, TagState
from ingest.actions import history
from ingest.actions.history import Recorder, snapshot
from ingest.algorithms.normal_form import normal, without_invisible
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Frame, Operation

NAME_MAX = 200
WORD = ("state", "score", "model_version_id", "by_id", "by_person")


def clean_name(text: str) -> str:
    """Return the tag as stored: NFC, lower case, underscores, nothing invisible. Raises BadInput with the reason."""
    refuse_unstorable(text, "tag")
    # Underscores stay as they are: kaomoji are made of them.
    name = normal("_".join(normal(without_invisible(text)).split()).lower())
    if not name:
        raise BadInput("Type a tag.")
    if len(name) > NAME_MAX:
        raise BadInput(f"A tag has at most {NAME_MAX} characters; this one has {len(name)}.")
    if "," in name:
        raise BadInput(f"“{name}” holds a comma, which separates tags in captions. Add the tags one by one.")
    return name


def edit(
    *, collection: Collection, frame: Frame | int, seen: Iterable[str], new: Iterable[str], by: Any, key: str = ""
) -> Operation:
    """Change a frame's tags from `seen` to `new` by a three-way merge with the current ones."""
    before = {clean_name(name) for name in seen}
    after = {clean_name(name) for name in new}
    return _apply(
        collection=collection, frames=[frame], add=sorted(after - before), remove=sorted(before - after), by=by, key=key
    )


def add(
    *, collection: Collection, frames: Iterable[Frame | int], names: Iterable[str], by: Any, key: str = ""
) -> Operation:
    """Add tags to frames; a tag by a model becomes a person's."""
    return _apply(collection=collection, frames=frames, add=[clean_name(n) for n in names], remove=[], by=by, key=key)


def remove(
    *, collection: Collection, frames: Iterable[Frame | int], names: Iterable[str], by: Any, key: str = ""
) -> Operation:
    """Reject tags on frames; no model adds them again."""
    return _apply(collection=collection, frames=frames, add=[], remove=[clean_name(n) for n in names], by=by, key=key)


def answer(*, collection: Collection, frame: Frame | int, name: str, yes: bool, by: Any, key: str = "") -> Operation:
    """Label a tag that a model can give as right or wrong, whether or not the vocabulary has it."""
    names = [clean_name(name)]
    common: dict[str, Any] = {"collection": collection, "frames": [frame], "by": by, "key": key}
    return _apply(add=names if yes else [], remove=[] if yes else names, known_to_models=True, **common)


def resolve(names: Iterable[str], *, make: bool, seen_by: Collection | None = None) -> list[Tag]:
    """Return the tags of these names, aliases resolved, in order and without repetition.

    Unknown ones are created with `make`, else left out. With `seen_by` a tag that the collection does not see is
    unknown.
    """
    ordered = list(dict.fromkeys(names))
    tags = by_name(ordered, Tag.objects.all() if seen_by is None else Tag.objects.visible_in(seen_by.pk))
    missing = [name for name in ordered if name not in tags]
    if missing and make:
        Tag.objects.bulk_create([Tag(name=name) for name in sorted(missing)], ignore_conflicts=True)
        tags |= {tag.name: tag for tag in Tag.objects.filter(name__in=missing)}
    resolved = {tags[name].pk: tags[name] for name in ordered if name in tags}
    return list(resolved.values())


def by_name(names: Collected[str], known: QuerySet[Tag]) -> dict[str, Tag]:
    """Return the known tags by the name that was given, aliases resolved."""
    tags = {tag.name: tag for tag in known.filter(name__in=names)}
    aliases = TagAlias.objects.filter(name__in=[n for n in names if n not in tags]).select_related("tag")
    return tags | {alias.name: alias.tag for alias in aliases}


def _apply(
    *, collection: Collection, frames: Iterable[Frame | int], add: Sequence[str], remove: Sequence[str], by: Any,
    key: str, known_to_models: bool = False,
) -> Operation:  # fmt: skip
    """Add and remove tags. `known_to_models`: tags may be rejected although nobody used them here before."""
    keys = sorted({frame if isinstance(frame, int) else frame.pk for frame in frames})
    if not keys:
        raise BadInput("Select at least one frame.")
    with history.operation(collection=collection, by=by, kind="tags.edit", summary="", key=key) as record:
        frame_count = 0
        added = resolve(add, make=True)
        removed = resolve(remove, make=known_to_models, seen_by=None if known_to_models else collection)
        for part in batches(keys):
            locked = Frame.objects.select_for_update().filter(collection=collection, pk__in=part).order_by("pk")
            present = [frame.pk for frame in locked.only("pk")]
            frame_count += len(present)
            decide(record, present, added, state=TagState.YES, by=by)
            _take_contradicting(record, present, added)
            decide(record, present, removed, state=TagState.NO, by=by)
        if frame_count != len(keys):
            raise Conflict(f"{len(keys) - frame_count} of these frames no longer exist. Reload the page.")
        record.operation.summary = _summary(added, removed, frames=len(keys))
    return record.operation


def _take_contradicting(record: Recorder, frames: list[int], added: list[Tag]) -> None:
    """Delete tags by models and files that contradict the labels of their frame, which include the added ones; the
    next run does not add them again."""
    if not added or not frames:
        return
    rows = FrameTag.objects.filter(frame__in=frames, state=TagState.YES).order_by("pk")
    by_person: dict[int, set[str]] = {}
    by_others: dict[int, dict[str, int]] = {}
    for key, frame, name, is_by_person in rows.values_list("pk", "frame_id", "tag__name", "by_person"):
        if is_by_person:
            by_person.setdefault(frame, set()).add(name)
        else:
            by_others.setdefault(frame, {})[name] = key
    wrong = [
        keys[name] for frame, keys in by_others.items() for name in contradicting(keys, by_person.get(frame, set()))
    ]
    gone = list(rows.filter(pk__in=wrong))
    for row in gone:
        record.deleted(row, frame_id=row.frame_id)
    FrameTag.objects.filter(pk__in=[row.pk for row in gone]).delete()


def decide(record: Recorder, frames: list[int], tags: list[Tag], *, state: TagState, by: Any) -> None:
    """Write a person's yes or no for each frame and tag where it differs."""
    if not tags or not frames:
        return
    rows = {(row.frame_id, row.tag_id): row for row in FrameTag.objects.filter(frame__in=frames, tag__in=tags)}
    fresh: list[FrameTag] = []
    changed: list[tuple[FrameTag, dict[str, Any]]] = []
    for frame in frames:
        for tag in tags:
            row = rows.get((frame, tag.pk))
            if row is None:
                # A "no" without an earlier row keeps a later run from adding the tag.
                fresh.append(FrameTag(frame_id=frame, tag=tag, state=state, by=by, by_person=True))
            elif row.state != state or not row.by_person:
                before = snapshot(row, names=WORD)
                row.state, row.score, row.model_version, row.by, row.by_person = state, 1.0, None, by, True
                changed.append((row, before))
    for row in FrameTag.objects.bulk_create(fresh, batch_size=BATCH):
        record.created(row, frame_id=row.frame_id)
    keys = [row.pk for row, _ in changed]
    FrameTag.objects.filter(pk__in=keys).update(state=state, score=1.0, model_version=None, by=by, by_person=True)
    for row, before in changed:
        record.changed(row, before=before, frame_id=row.frame_id)


def _summary(added: list[Tag], removed: list[Tag], *, frames: int) -> str:
    words = [f"+{tag.name}" for tag in added] + [f"-{tag.name}" for tag in removed]
    where = "" if frames == 1 else f" on {frames:,} frames"
    return f"Tags {' '.join(words) or 'unchanged'}{where}"
