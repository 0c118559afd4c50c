"""Set which characters are on a frame, with or without a face. Labels by people are kept by every run."""

from __future__ import annotations

from typing import Any

from annotate.actions.naming import named
from annotate.models import Character, FrameCharacter, NameOrigin, TagState
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.errors import Conflict
from ingest.models import Collection, Frame, Operation

WORD = ("state", "origin", "score", "box", "by_id")


def decide(
    *, collection: Collection, frame: Frame, character: Character | int | str, yes: bool, by: Any, key: str = ""
) -> Operation:
    """Label a character as on the frame or not; a new name creates a character.

    Raises BadInput for a name that cannot be stored, Conflict when the frame or character is gone.
    """
    with history.operation(collection=collection, by=by, kind="frames.characters", summary="", key=key) as record:
        if not Frame.objects.select_for_update().filter(collection=collection, pk=frame.pk).exists():
            raise Conflict("This frame no longer exists. Reload the page.")
        who = named(record, collection=collection, who=character)
        state = TagState.YES if yes else TagState.NO
        row = FrameCharacter.objects.select_for_update().filter(frame=frame, character=who).first()
        if row is None:
            row = FrameCharacter.objects.create(
                frame=frame, character=who, state=state, origin=NameOrigin.PERSON, by=by
            )
            record.created(row, frame_id=frame.pk)
        elif row.state != state or not row.by_person:
            before = snapshot(row, names=WORD)
            row.state, row.origin, row.score, row.box, row.by = state, NameOrigin.PERSON, 1.0, None, by
            row.save(update_fields=["state", "origin", "score", "box", "by"])
            record.changed(row, before=before, frame_id=frame.pk)
        record.operation.summary = f"{who.name} is {'' if yes else 'not '}on this frame"
    return record.operation
