"""Custom captions of frames; they take precedence over every recipe."""

from __future__ import annotations

import unicodedata
from typing import Any

from annotate.models import Caption
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.actions.seen import author, changed
from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Frame, Operation, Revision

LENGTH_MAX = 4000
LABELS = {"text": "caption"}


def words_of(text: str) -> str:
    """Return the caption as stored: NFC, one line, no control characters. Raises BadInput when it is too long."""
    words = " ".join(normal(text).split())
    words = "".join(sign for sign in words if unicodedata.category(sign) not in ("Cc", "Cs"))  # pasted by accident
    if len(words) > LENGTH_MAX:
        raise BadInput(f"A caption has at most {LENGTH_MAX:,} characters; this one has {len(words):,}.")
    return words


def write(
    *, collection: Collection, frame: Frame, text: str, by: Any, seen: str | None = None, key: str = ""
) -> Operation:
    """Set the custom caption, one line; an empty text removes it, so that the recipe's is used again.

    `seen` is the fingerprint of the text that the page showed. Raises BadInput for a text that cannot be stored,
    Conflict when the frame is gone, Stale when somebody else wrote another one since.
    """
    words = words_of(text)
    with history.operation(collection=collection, by=by, kind="captions.write", summary="", key=key) as record:
        if not Frame.objects.select_for_update().filter(collection=collection, pk=frame.pk).exists():
            raise Conflict("This frame no longer exists. Reload the page.")
        row = Caption.objects.filter(frame=frame).first()
        current = row.text if row is not None else ""
        who = author(Revision.objects.filter(model=Caption._meta.label, frame_id=frame.pk))
        fresh = changed(seen, now={"text": current}, new={"text": words}, who=who, what="the caption", labels=LABELS)
        if "text" not in fresh and (words or row is not None):
            record.operation.summary = "Caption unchanged"
        elif not words:
            if row is None:
                raise BadInput("There is no custom caption to remove.")
            record.deleted(row, frame_id=frame.pk)
            row.delete()
            record.operation.summary = "Custom caption removed"
        elif row is None:
            row = Caption.objects.create(frame=frame, text=words, by=by)
            record.created(row, frame_id=frame.pk)
            record.operation.summary = "Caption added"
        else:
            before = snapshot(row, names=("text", "by_id"))
            row.text, row.by = words, by
            row.save()
            record.changed(row, before=before, frame_id=frame.pk)
            record.operation.summary = "Caption changed"
    return record.operation
