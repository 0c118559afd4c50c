"""Custom captions of frames; they take precedence over every recipe."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

from annotate.actions.batches import batches
from annotate.models import Caption
from ingest.actions import history
from ingest.actions.history import snapshot
from ingest.actions.seen import author, changed
from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput, Conflict
from ingest.humane import count
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
        if not words and row is None:
            raise BadInput("There is no custom caption to remove.")
        if "text" not in fresh:
            record.operation.summary = "Caption unchanged"
        else:
            _set(record, frame.pk, row, words, by)
            record.operation.summary = (
                "Custom caption removed" if not words else "Caption added" if row is None else "Caption changed"
            )
    return record.operation


def write_all(
    *, collection: Collection, texts: Mapping[int, str], stored: Mapping[int, str], by: Any, key: str = ""
) -> Operation:
    """Set the custom captions of several frames (`texts` by frame) as one operation.

    `stored` holds the custom captions that the new texts were made from. Raises BadInput when no caption would change
    or one cannot be stored, Conflict when a frame is gone or somebody changed one of these captions since.
    """
    words = {pk: words_of(text) for pk, text in texts.items()}
    with history.operation(collection=collection, by=by, kind="captions.write_all", summary="", key=key) as record:
        rows: dict[int, Caption] = {}
        frame_count = 0
        for part in batches(sorted(words)):
            frames = Frame.objects.select_for_update().filter(collection=collection, pk__in=part).order_by("pk")
            frame_count += len(frames.values_list("pk", flat=True))
            rows |= {row.frame_id: row for row in Caption.objects.filter(frame__in=part)}
        if frame_count != len(words):
            raise Conflict("Some of these frames no longer exist. Reload the page.")
        current = {pk: rows[pk].text if pk in rows else "" for pk in words}
        if changed_since := sum(current[pk] != stored.get(pk, "") for pk in words):
            raise Conflict(
                f"{count(changed_since, 'caption')} changed in the meantime; nothing was saved. Preview again."
            )
        fresh = {pk: text for pk, text in words.items() if text != current[pk]}
        if not fresh:
            raise BadInput("No caption would change.")
        for part in batches(list(fresh)):
            _set_all(record, {pk: fresh[pk] for pk in part}, rows, by)
        record.operation.summary = f"{count(len(fresh), 'caption')} changed"
    return record.operation


def _set_all(record: history.Recorder, texts: Mapping[int, str], rows: Mapping[int, Caption], by: Any) -> None:
    """Do what `_set` does for captions of many frames (`rows`: those that exist), by one statement of each kind."""
    created = [Caption(frame_id=pk, text=text, by=by) for pk, text in texts.items() if pk not in rows]
    for row in Caption.objects.bulk_create(created):
        record.created(row, frame_id=row.frame_id)
    removed = [rows[pk] for pk, text in texts.items() if pk in rows and not text]
    for row in removed:
        record.deleted(row, frame_id=row.frame_id)
    Caption.objects.filter(pk__in=[row.pk for row in removed]).delete()
    changed_rows = [(rows[pk], text) for pk, text in texts.items() if pk in rows and text]
    before = [snapshot(row, names=("text", "by_id")) for row, _ in changed_rows]
    for row, text in changed_rows:
        row.text, row.by = text, by
    # An upsert: `bulk_update` compares each row with every key.
    Caption.objects.bulk_create(
        [row for row, _ in changed_rows], update_conflicts=True, unique_fields=["id"],
        update_fields=["text", "by", "updated_at"],
    )  # fmt: skip
    for (row, _), values in zip(changed_rows, before, strict=True):
        record.changed(row, before=values, frame_id=row.frame_id)


def _set(record: history.Recorder, frame: int, row: Caption | None, words: str, by: Any) -> None:
    """Store the caption of a frame, or remove the row where `words` is empty."""
    if row is None:
        record.created(Caption.objects.create(frame_id=frame, text=words, by=by), frame_id=frame)
    elif not words:
        record.deleted(row, frame_id=frame)
        row.delete()
    else:
        before = snapshot(row, names=("text", "by_id"))
        row.text, row.by = words, by
        row.save()
        record.changed(row, before=before, frame_id=frame)
