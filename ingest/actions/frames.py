"""Keep, drop, restore and leave out frames: a person's word on a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.errors import BadInput
from ingest.models import Collection, DropReason, Frame, FrameState, Operation

DECISION = ("state", "reason", "duplicate_of_id", "distance", "decided", "decided_by_id")


def drop(*, collection: Collection, frames: Iterable[Frame], by: Any, key: str = "") -> Operation:
    """Take frames out of the set; their rows and files stay, restore brings them back."""
    return _decide(
        collection=collection, frames=frames, by=by, key=key, kind="frames.drop", word="dropped",
        values={"state": FrameState.DROPPED, "reason": DropReason.PERSON, "duplicate_of_id": None, "distance": None},
    )  # fmt: skip


def restore(*, collection: Collection, frames: Iterable[Frame], by: Any, key: str = "") -> Operation:
    """Bring dropped frames back. The full picture is written first, by `ingest.restoring`."""
    return _decide(
        collection=collection, frames=frames, by=by, key=key, kind="frames.restore", word="restored",
        values={"state": FrameState.KEPT, "reason": "", "duplicate_of_id": None, "distance": None},
    )  # fmt: skip


def leave_out(*, collection: Collection, frames: Iterable[Frame], excluded: bool, by: Any, key: str = "") -> Operation:
    """Leave frames out of every export (or let them in again); they stay visible and keep their labels."""
    word = "left out of exports" if excluded else "let into exports"
    with history.operation(collection=collection, by=by, kind="frames.leave_out", summary="", key=key) as record:
        changed = 0
        for frame in _locked(collection, frames):
            if frame.excluded != excluded:
                frame.excluded = excluded
                frame.save(update_fields=["excluded"])
                record.changed(frame, before={"excluded": not excluded}, frame_id=frame.pk)
                changed += 1
        record.operation.summary = f"{_frames(changed)} {word}"
    return record.operation


def _decide(
    *, collection: Collection, frames: Iterable[Frame], by: Any, kind: str, word: str, values: dict[str, Any], key: str
) -> Operation:
    with history.operation(collection=collection, by=by, kind=kind, summary="", key=key) as record:
        changed = 0
        for frame in _locked(collection, frames):
            before = snapshot(frame, names=DECISION)
            for name, value in values.items():
                setattr(frame, name, value)
            frame.decided, frame.decided_by = True, by
            frame.save(update_fields=["state", "reason", "duplicate_of", "distance", "decided", "decided_by"])
            record.changed(frame, before=before, frame_id=frame.pk)
            changed += 1
        record.operation.summary = f"{_frames(changed)} {word}"
    return record.operation


def _locked(collection: Collection, frames: Iterable[Frame]) -> list[Frame]:
    """The rows as they are now, of this collection, locked in order of key so that two people never deadlock."""
    keys = {frame.pk for frame in frames}
    if not keys:
        raise BadInput("Select at least one frame.")
    return list(Frame.objects.select_for_update().filter(collection=collection, pk__in=keys).order_by("pk"))


def _frames(n: int) -> str:
    return f"{n:,} frame{'s' if n != 1 else ''}"
