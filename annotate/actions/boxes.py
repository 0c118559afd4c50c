"""Draw, move, resize and delete face boxes by hand."""

from __future__ import annotations

import math
from typing import Any

from annotate.actions.naming import answer, change_faces, locked_faces, named
from annotate.models import Character, Face, FaceState
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.actions.seen import last_by
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Frame, Operation

RelativeBox = tuple[float, float, float, float]

SIDE_MIN = 0.004  # of the picture: 5 px of 1280, the least that can be grabbed
BOX = ("left", "top", "right", "bottom", "score", "box_by_person", "crop", "embedding", "embedding_version_id")


def draw(
    *, collection: Collection, frame: Frame, box: RelativeBox, by: Any, character: Character | int | str | None = None,
    key: str = "",
) -> Face:  # fmt: skip
    """Add a face that no model found: box as left, top, right, bottom from 0 to 1; named at once with `character`."""
    left, top, right, bottom = checked_box(box)
    with history.operation(collection=collection, by=by, kind="faces.draw", summary="", key=key) as record:
        row = Frame.objects.select_for_update().filter(collection=collection, pk=frame.pk).first()
        if row is None:
            raise Conflict("This frame no longer exists. Reload the page.")
        _check_place(row.pk, (left, top, right, bottom))
        face = Face(
            collection=collection, frame=row, left=left, top=top, right=right, bottom=bottom, drawn_by=by,
            box_by_person=True,
        )  # fmt: skip
        name = ""
        if character is not None:
            who = named(record, collection=collection, who=character)
            answer(face, state=FaceState.FACE, character=who, by=by)
            name = f" and named {who.name}"
        face.save()
        record.created(face, frame_id=row.pk)
        record.operation.summary = f"Face drawn{name}"
    return face


def move(
    *, collection: Collection, face: Face | int, box: RelativeBox, by: Any, seen_version: int | None = None,
    key: str = "",
) -> Face:  # fmt: skip
    """Move or resize a box. Its description is cleared and made anew by the next run; its name stays.

    With `seen_version` a change by somebody else since then is a Conflict.
    """
    left, top, right, bottom = checked_box(box)
    with history.operation(
        collection=collection, by=by, kind="faces.move", summary="Face box moved", key=key
    ) as record:
        row = locked_faces(collection=collection, faces=[face])[0]
        if seen_version is not None and seen_version != row.version:
            raise Stale(
                f"{last_by(row)} changed this face in the meantime.",
                stored=[("box", _percent(row.left, row.top, row.right, row.bottom))],
                sent=[("box", _percent(left, top, right, bottom))],
                resend={"version": [str(row.version)]},
            )
        if row.state != FaceState.NOT_A_FACE:
            _check_place(row.frame_id, (left, top, right, bottom), but=row.pk)
        before = snapshot(row, names=(*BOX, "version"))
        row.left, row.top, row.right, row.bottom = left, top, right, bottom
        row.box_by_person = True
        row.crop, row.embedding, row.embedding_version = "", None, None
        row.version += 1
        row.save(update_fields=[*(name.removesuffix("_id") for name in BOX), "version"])
        record.changed(row, before=before, frame_id=row.frame_id)
    return row


def delete(*, collection: Collection, face: Face | int, by: Any, key: str = "") -> Operation:
    """Delete a box. One that a model found stays as "not a face", so that no run finds it again."""
    with history.operation(
        collection=collection, by=by, kind="faces.delete", summary="Face box deleted", key=key
    ) as record:
        row = locked_faces(collection=collection, faces=[face])[0]
        if row.model_version_id is None:
            record.deleted(row, frame_id=row.frame_id)
            row.delete()
        else:
            change_faces(record, [row], lambda it: answer(it, state=FaceState.NOT_A_FACE, character=None, by=by))
    return record.operation


def _check_place(frame: int, box: RelativeBox, *, but: int = 0) -> None:
    """BadInput where the frame has a face with the very same box: one face, drawn twice."""
    if Face.objects.in_place(frame, box).exclude(pk=but).exists():
        raise BadInput("There is already a box here.")


def _percent(left: float, top: float, right: float, bottom: float) -> str:
    """Describe a box by its corner and size, in percent of the picture."""
    size = f"{100 * (right - left):.0f} × {100 * (bottom - top):.0f} %"
    return f"{size} at {100 * left:.0f} %, {100 * top:.0f} % from the left and the top"


def checked_box(box: RelativeBox) -> RelativeBox:
    """The box clipped to the picture; BadInput when it is not four numbers, or empty."""
    if len(box) != 4 or not all(isinstance(value, int | float) and math.isfinite(value) for value in box):
        raise BadInput("A face box is four numbers: left, top, right and bottom from 0 to 1.")
    left, top, right, bottom = (min(1.0, max(0.0, float(value))) for value in box)
    if right - left < SIDE_MIN or bottom - top < SIDE_MIN:
        raise BadInput("This face box is too small. Draw it from the forehead to the chin.")
    return left, top, right, bottom
