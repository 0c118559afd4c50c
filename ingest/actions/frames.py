"""Drop, restore and leave out frames: what a person decides on a frame.

`seen` in these functions maps a frame's key to the state that the page showed, as `form_state` gives it: frames on
which another person has decided otherwise since are left as they are, and the summary says who. Raises Conflict where
that applies to all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ingest import humane
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, DropReason, Frame, FrameState, Operation, Revision

DECISION = ("state", "reason", "duplicate_of_id", "distance", "decided", "decided_by_id")
Seen = Mapping[int, str] | None


def form_state(*, state: str, excluded: bool, decided_by_id: int | None) -> str:
    """What a form sends of a frame's state: `kept-0-3` is kept by user 3, and not left out."""
    return f"{state}-{int(excluded)}-{decided_by_id or 0}"


def drop(*, collection: Collection, frames: Iterable[Frame], by: Any, seen: Seen = None, key: str = "") -> Operation:
    """Remove frames from the collection; their rows and files stay and `restore` brings them back."""
    return _decide(
        collection=collection, frames=frames, by=by, seen=seen, key=key, kind="frames.drop", word="dropped",
        values={"state": FrameState.DROPPED, "reason": DropReason.PERSON, "duplicate_of_id": None, "distance": None},
    )  # fmt: skip


def restore(*, collection: Collection, frames: Iterable[Frame], by: Any, seen: Seen = None, key: str = "") -> Operation:
    """Restore dropped frames. Their full pictures are written before, by `ingest.restoring`."""
    return _decide(
        collection=collection, frames=frames, by=by, seen=seen, key=key, kind="frames.restore", word="restored",
        values={"state": FrameState.KEPT, "reason": "", "duplicate_of_id": None, "distance": None},
    )  # fmt: skip


def leave_out(
    *, collection: Collection, frames: Iterable[Frame], excluded: bool, by: Any, seen: Seen = None, key: str = ""
) -> Operation:
    """Leave frames out of every export, or include them again; they stay visible and keep their labels."""
    word = "excluded from exports" if excluded else "included in exports"
    with history.operation(
        collection=collection,
        by=by,
        kind="frames.leave_out",
        summary=lambda: f"{humane.count(changed, 'frame')} {word}{left}",
        key=key,
    ) as record:
        changed = 0
        rows = _locked(collection, frames)
        rows, left = _without_decided(rows, _otherwise_left_out(rows, seen, excluded=excluded, by=by))
        for frame in rows:
            if frame.excluded != excluded:
                frame.excluded = excluded
                frame.save(update_fields=["excluded"])
                record.changed(frame, before={"excluded": not excluded}, frame_id=frame.pk)
                changed += 1
    return record.operation


def _decide(
    *, collection: Collection, frames: Iterable[Frame], by: Any, seen: Seen, kind: str, word: str,
    values: dict[str, Any], key: str,
) -> Operation:  # fmt: skip
    with history.operation(
        collection=collection,
        by=by,
        kind=kind,
        summary=lambda: f"{humane.count(len(rows), 'frame')} {word}{left}",
        key=key,
    ) as record:
        rows = _locked(collection, frames)
        rows, left = _without_decided(rows, _otherwise_decided(rows, seen, values["state"], by))
        for frame in rows:
            before = snapshot(frame, names=DECISION)
            for name, value in values.items():
                setattr(frame, name, value)
            frame.decided, frame.decided_by = True, by
            frame.save(update_fields=["state", "reason", "duplicate_of", "distance", "decided", "decided_by"])
            record.changed(frame, before=before, frame_id=frame.pk)
    return record.operation


def _otherwise_decided(rows: Sequence[Frame], seen: Seen, new_state: str, by: Any) -> dict[int, str]:
    """Frame key -> the other person who has decided against `new_state` since the page was opened."""
    deciders = {}
    for row in rows:
        state, _, decided_by = (seen or {}).get(row.pk, "--").split("-")
        is_new = bool(state) and (state, decided_by) != (row.state, str(row.decided_by_id or 0))
        if is_new and row.decided and row.decided_by_id not in (None, by.pk) and row.state != new_state:
            deciders[row.pk] = row.decided_by.get_username() if row.decided_by else "Somebody"
    return deciders


def _otherwise_left_out(rows: Sequence[Frame], seen: Seen, *, excluded: bool, by: Any) -> dict[int, str]:
    """Frame key -> the other person who has left it out, or included it, since the page was opened."""
    changed = [
        row.pk for row in rows
        if row.excluded != excluded and (seen or {}).get(row.pk, "--").split("-")[1] == str(int(excluded))
    ]  # fmt: skip
    newest = {
        revision.object_id: revision.operation.by
        for revision in Revision.objects.filter(
            model=Frame._meta.label, object_id__in=changed, after__has_key="excluded"
        )
        .select_related("operation__by")
        .order_by("pk")
    }
    return {pk: user.get_username() for pk, user in newest.items() if user is not None and user.pk != by.pk}


def _without_decided(rows: list[Frame], deciders: Mapping[int, str]) -> tuple[list[Frame], str]:
    """The rows on which nobody else decided, and a note on the others. Raises Conflict where none is left."""
    if not deciders:
        return rows, ""
    who = ", ".join(sorted(set(deciders.values())))
    if len(deciders) == len(rows):
        frames = humane.count(len(rows), "frame")
        raise Conflict(f"{who} changed {frames} in the meantime. Reload the page.")
    left = humane.count(len(deciders), "frame")
    return [row for row in rows if row.pk not in deciders], f"; {left} left as {who} decided"


def _locked(collection: Collection, frames: Iterable[Frame]) -> list[Frame]:
    """The current rows of this collection, locked in the order of their keys so that two people never deadlock."""
    keys = {frame.pk for frame in frames}
    if not keys:
        raise BadInput("Select at least one frame.")
    return list(Frame.objects.select_for_update().filter(collection=collection, pk__in=keys).order_by("pk"))
