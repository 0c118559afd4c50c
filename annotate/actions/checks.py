"""Mark all faces of a frame as reviewed: such frames are the ground truth for measuring detectors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from annotate.models import CheckedFrame, Face, FaceState
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.actions.seen import fingerprint
from ingest.errors import Conflict
from ingest.models import Collection, Frame, Operation


def form_values(faces: Iterable[Face]) -> dict[str, Any]:
    """The boxes of a frame as shown on its page, for the fingerprint of the review form."""
    return {
        "boxes": sorted(
            [face.pk, face.state == FaceState.NOT_A_FACE, face.left, face.top, face.right, face.bottom]
            for face in faces
        )
    }


def check(*, collection: Collection, frame: Frame, by: Any, seen: str | None = None, key: str = "") -> Operation:
    """Mark that every face of the frame has a box and every box is a face; all boxes become boxes by a person.

    Raises Conflict when a box changed since the page with the fingerprint `seen`.
    """
    summary = f"All faces of {_called(frame)} reviewed"
    with history.operation(collection=collection, by=by, kind="faces.check", summary=summary, key=key) as record:
        row = _locked(collection, frame)
        if seen is not None and seen != fingerprint(form_values(Face.objects.filter(frame=row))):
            raise Conflict(
                "Boxes of this frame changed in the meantime. Reload the page, check them and confirm again."
            )
        for face in Face.objects.real().select_for_update().filter(frame=row, box_by_person=False).order_by("pk"):
            before = snapshot(face, names=("box_by_person", "version"))
            face.box_by_person = True
            face.version += 1
            face.save(update_fields=["box_by_person", "version"])
            record.changed(face, before=before, frame_id=row.pk)
        if not CheckedFrame.objects.filter(frame=row).exists():
            record.created(CheckedFrame.objects.create(frame=row, by=by), frame_id=row.pk)
    return record.operation


def uncheck(*, collection: Collection, frame: Frame, by: Any, key: str = "") -> Operation:
    """Remove the mark; the boxes stay boxes by a person."""
    summary = f"Faces of {_called(frame)} not reviewed"
    with history.operation(collection=collection, by=by, kind="faces.uncheck", summary=summary, key=key) as record:
        row = _locked(collection, frame)
        for checked in CheckedFrame.objects.filter(frame=row):
            record.deleted(checked, frame_id=row.pk)
            checked.delete()
    return record.operation


def _called(frame: Frame) -> str:
    """The frame's name for the history: episode and file name or number."""
    return f"{frame.episode.label}, {frame.name or f'frame {frame.index}'}"


def _locked(collection: Collection, frame: Frame) -> Frame:
    row = Frame.objects.select_for_update().filter(collection=collection, pk=frame.pk).first()
    if row is None:
        raise Conflict("This frame no longer exists. Reload the page.")
    return row
