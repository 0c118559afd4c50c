"""A person says that all faces of a frame are marked: it is complete truth for measuring detectors."""

from __future__ import annotations

from typing import Any

from annotate.models import CheckedFrame, Face
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.errors import Conflict
from ingest.models import Collection, Frame, Operation


def check(*, collection: Collection, frame: Frame, by: Any, key: str = "") -> Operation:
    """Every face of the frame has its box, and every box that is not denied is one: a person stands for each."""
    summary = f"All faces of {_called(frame)} marked"
    with history.operation(collection=collection, by=by, kind="faces.check", summary=summary, key=key) as record:
        row = _locked(collection, frame)
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
    """Take that back; the boxes stay people's own."""
    summary = f"Faces of {_called(frame)} are open again"
    with history.operation(collection=collection, by=by, kind="faces.uncheck", summary=summary, key=key) as record:
        row = _locked(collection, frame)
        for mark in CheckedFrame.objects.filter(frame=row):
            record.deleted(mark, frame_id=row.pk)
            mark.delete()
    return record.operation


def _called(frame: Frame) -> str:
    """The frame in a line of the history, which is read away from it."""
    return f"{frame.episode.label}, {frame.name or f'frame {frame.index}'}"


def _locked(collection: Collection, frame: Frame) -> Frame:
    row = Frame.objects.select_for_update().filter(collection=collection, pk=frame.pk).first()
    if row is None:
        raise Conflict("This frame does not exist any more. Load the page again.")
    return row
