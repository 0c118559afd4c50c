"""Label faces: a name, not in the cast, not a face, or unnamed. Labels by people are kept by every run.

`seen` in these functions maps a face's key to the `version` that the page showed: when another person set a different
label since, Conflict is raised and nothing is written. `key` is the request's idempotency key.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from annotate.actions.naming import (
    Seen,
    answer,
    change_faces,
    check_seen,
    clear_name,
    locked_character,
    locked_faces,
    named,
    rule_out,
)
from annotate.models import Character, Face, FaceState
from ingest import humane
from ingest.actions import history
from ingest.errors import BadInput
from ingest.models import Collection, Operation


def assign(
    *, collection: Collection, faces: Iterable[Face | int], character: Character | int | str, by: Any,
    seen: Seen = None, key: str = "",
) -> Operation:  # fmt: skip
    """Name faces as a character; a new name creates one."""
    with history.operation(collection=collection, by=by, kind="faces.name", summary="", key=key) as record:
        who = named(record, collection=collection, who=character)
        rows = locked_faces(collection=collection, faces=faces)
        check_seen(rows, seen, state=FaceState.FACE, character=who)
        changed = change_faces(record, rows, lambda face: answer(face, state=FaceState.FACE, character=who, by=by))
        record.operation.summary = f"{humane.count(len(changed), 'face')} named {who.name}"
    return record.operation


def nobody(
    *, collection: Collection, faces: Iterable[Face | int], by: Any, seen: Seen = None, key: str = ""
) -> Operation:
    """Mark faces as not in the cast: extras, a crowd."""
    return _set_state(
        FaceState.NOBODY, "not in the cast", collection=collection, faces=faces, by=by, seen=seen, key=key
    )


def not_a_face(
    *, collection: Collection, faces: Iterable[Face | int], by: Any, seen: Seen = None, key: str = ""
) -> Operation:
    """Mark boxes as not a face. The rows stay, so that no run adds them again."""
    return _set_state(FaceState.NOT_A_FACE, "not a face", collection=collection, faces=faces, by=by, seen=seen, key=key)


def unname(
    *, collection: Collection, faces: Iterable[Face | int], by: Any, seen: Seen = None, key: str = ""
) -> Operation:
    """Remove the names of faces. A removed name is rejected for its face: no run gives it again."""

    def change(face: Face) -> None:
        face.state = FaceState.FACE
        rule_out(face, face.character_id)
        clear_name(face)

    with history.operation(collection=collection, by=by, kind="faces.unname", summary="", key=key) as record:
        rows = locked_faces(collection=collection, faces=faces)
        check_seen(rows, seen, state=FaceState.FACE, character=None)
        changed = change_faces(record, rows, change)
        record.operation.summary = f"{humane.count(len(changed), 'face')} unnamed"
    return record.operation


def is_not(
    *, collection: Collection, faces: Iterable[Face | int], character: Character | int, by: Any, key: str = ""
) -> Operation:
    """Reject a character for faces, without naming them."""
    with history.operation(collection=collection, by=by, kind="faces.is_not", summary="", key=key) as record:
        who = locked_character(collection=collection, character=character)
        rows = locked_faces(collection=collection, faces=faces)
        changed = change_faces(record, rows, lambda face: rule_out(face, who.pk))
        record.operation.summary = f"{humane.count(len(changed), 'face')} not {who.name}"
    return record.operation


def confirm(
    *, collection: Collection, faces: Iterable[Face | int], by: Any, seen: Seen = None, key: str = ""
) -> Operation:
    """Confirm the names that a model gave. Raises BadInput for faces without a name."""
    with history.operation(collection=collection, by=by, kind="faces.confirm", summary="", key=key) as record:
        rows = locked_faces(collection=collection, faces=faces)
        if any(face.character_id is None for face in rows):
            raise BadInput("Some of these faces have no name to confirm.")
        for face in rows:
            check_seen([face], seen, state=FaceState.FACE, character=face.character)
        changed = change_faces(
            record, rows, lambda face: answer(face, state=FaceState.FACE, character=face.character, by=by)
        )
        record.operation.summary = f"{humane.count(len(changed), 'face')} confirmed"
    return record.operation


def set_reference(
    *, collection: Collection, faces: Iterable[Face | int], is_reference: bool, by: Any, key: str = ""
) -> Operation:
    """Make named faces references of their character, or no longer references.

    Raises BadInput for faces without a name.
    """

    def change(face: Face) -> None:
        face.is_reference = is_reference

    with history.operation(collection=collection, by=by, kind="faces.reference", summary="", key=key) as record:
        rows = locked_faces(collection=collection, faces=faces)
        if is_reference and any(face.character_id is None for face in rows):
            raise BadInput("Name a face before making it a reference.")
        changed = change_faces(record, rows, change)
        word = "made references" if is_reference else "no longer references"
        record.operation.summary = f"{humane.count(len(changed), 'face')} {word}"
    return record.operation


def _set_state(
    state: FaceState, word: str, *, collection: Collection, faces: Iterable[Face | int], by: Any, seen: Seen, key: str
) -> Operation:
    with history.operation(collection=collection, by=by, kind=f"faces.{state}", summary="", key=key) as record:
        rows = locked_faces(collection=collection, faces=faces)
        check_seen(rows, seen, state=state, character=None)
        changed = change_faces(record, rows, lambda face: answer(face, state=state, character=None, by=by))
        record.operation.summary = f"{humane.count(len(changed), 'face')} marked as {word}"
    return record.operation
