"""Draw, move, resize and delete face boxes by hand."""

from __future__ import annotations

import math
from typing import Any

from annotate.actions.naming import Seen, answer, change_faces, check_seen, locked_faces, named
from annotate.models import Character, Face, FaceState
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.actions.seen import last_by
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Frame, Operation

RelativeBox = tuple[float, float, float, float]

SIDE_MIN = 0.004  # share of the picture: 5 px of 1280, the smallest that can be grabbed
BOX = ("left", "top", "right", "bottom", "score", "box_by_person", "crop", "embedding", "embedding_version_id")


def draw(
    *, collection: Collection, frame: Frame, box: RelativeBox, by: Any, character: Character | int | str | None = None,
    key: str = "",
) -> Face:  # fmt: skip
    """Draw a face box (left, top, right, bottom, each 0 to 1) and name it, if `character` is given.

    Raises BadInput for an impossible or repeated box, Conflict when the frame is gone.
    """
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
    """Move or resize a box. The name stays; the next run computes crop and vector again.

    Raises BadInput for an impossible or repeated box, Conflict when the face is gone or has another version than
    `seen_version`.
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


def delete(*, collection: Collection, face: Face | int, by: Any, seen: Seen = None, key: str = "") -> Operation:
    """Delete a box.

    A detected one is kept as "not a face", so that no run adds it again. Raises Conflict when it is gone, Stale when
    somebody labelled the face since the version in `seen`.
    """
    with history.operation(
        collection=collection, by=by, kind="faces.delete", summary="Face box deleted", key=key
    ) as record:
        row = locked_faces(collection=collection, faces=[face])[0]
        check_seen([row], seen, state=FaceState.NOT_A_FACE, decision="delete the box")
        if row.model_version_id is None:
            record.deleted(row, frame_id=row.frame_id)
            row.delete()
        else:
            change_faces(record, [row], lambda it: answer(it, state=FaceState.NOT_A_FACE, character=None, by=by))
    return record.operation


def _check_place(frame: int, box: RelativeBox, *, but: int = 0) -> None:
    """Raise BadInput when the frame already has a face with exactly this box."""
    if Face.objects.in_place(frame, box).exclude(pk=but).exists():
        raise BadInput("There is already a box here.")


def _percent(left: float, top: float, right: float, bottom: float) -> str:
    """Describe a box by its corner and size, in percent of the picture."""
    size = f"{100 * (right - left):.0f} × {100 * (bottom - top):.0f} %"
    return f"{size} at {100 * left:.0f} %, {100 * top:.0f} % from the left and the top"


def checked_box(box: RelativeBox) -> RelativeBox:
    """Return the box clipped to 0 to 1.

    Raises BadInput unless it is four finite numbers and at least SIDE_MIN wide and high.
    """
    if len(box) != 4 or not all(isinstance(value, int | float) and math.isfinite(value) for value in box):
        raise BadInput("A face box is four numbers: left, top, right and bottom from 0 to 1.")
    left, top, right, bottom = (min(1.0, max(0.0, float(value))) for value in box)
    if right - left < SIDE_MIN or bottom - top < SIDE_MIN:
        raise BadInput("This face box is too small. Draw it from the forehead to the chin.")
    return left, top, right, bottom
