"""Write the history and undo an operation. Every write that matters goes through `operation`."""

from __future__ import annotations

import datetime
import logging
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils import timezone

from ingest import undoable
from ingest.errors import Conflict, KomaError
from ingest.models import Collection, Operation, Revision

logger = logging.getLogger(__name__)

SUMMARY_MAX = 300


class Recorder:
    """Collects the row changes of one operation; written when the `operation` block ends."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.revisions: list[Revision] = []

    def created(self, row: models.Model, *, frame_id: int | None = None) -> None:
        """Note a row just created (all its fields are kept, so that redo is possible)."""
        self._add(row, before=None, after=snapshot(row), frame_id=frame_id)

    def changed(self, row: models.Model, *, before: dict[str, Any], frame_id: int | None = None) -> None:
        """Note changed fields: `before` holds the old values (as from `snapshot`) of just these fields."""
        after = snapshot(row, names=before)
        if after != before:
            self._add(row, before=before, after=after, frame_id=frame_id)

    def deleted(self, row: models.Model, *, frame_id: int | None = None) -> None:
        """Note a row; call before deleting it."""
        self._add(row, before=snapshot(row), after=None, frame_id=frame_id)

    def _add(self, row: models.Model, **values: Any) -> None:
        if why := undoable.refusal(row._meta.label, values["before"], values["after"]):
            raise ValueError(f"{why}: add it to ingest/undoable.py, or do not record it.")
        self.revisions.append(Revision(operation=self.operation, model=row._meta.label, object_id=row.pk, **values))


@contextmanager
def operation(
    *, collection: Collection, by: Any, kind: str, summary: str, model: str = "", key: str = ""
) -> Iterator[Recorder]:
    """Open one operation in one transaction; `recorder.operation.summary` may be changed inside the block.

    `key` is the request's idempotency key: a second use by the same person raises Conflict and writes nothing. So does
    a row that somebody else made at the same moment (two who give one name to a new character).
    """
    try:
        with _operation(collection=collection, by=by, kind=kind, summary=summary, model=model, key=key) as recorder:
            yield recorder
    except IntegrityError as error:
        logger.warning("%s was not done: %s", kind, error)
        text = "Somebody changed the same thing at the same moment; nothing was written. Load the page and try again."
        raise Conflict(text) from error


@contextmanager
def _operation(*, collection: Collection, by: Any, kind: str, summary: str, model: str, key: str) -> Iterator[Recorder]:
    with transaction.atomic():
        row = Operation(collection=collection, by=by, kind=kind, summary=summary[:SUMMARY_MAX], model=model, key=key)
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise Conflict("This was sent twice; it was done once.") from None
        recorder = Recorder(row)
        yield recorder
        row.summary = row.summary[:SUMMARY_MAX]
        row.save(update_fields=["summary"])
        Revision.objects.bulk_create(recorder.revisions, batch_size=1000)


def snapshot(row: models.Model, *, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Field values by attribute name as JSON values; bytes as hex. Without `names` all concrete fields."""
    wanted = None if names is None else set(names)
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if wanted is None or field.attname in wanted:
            values[field.attname] = _to_json(getattr(row, field.attname))
    return values


def undo(target: Operation, *, by: Any) -> tuple[Operation, int]:
    """Take an operation back; returns the new operation and how many rows had changed since and were left alone.

    Steps: rows in reverse order; a row is restored only where its fields still are what the operation wrote. When
    nothing can be restored, or it was undone before, Conflict is raised and nothing is written.
    """
    with transaction.atomic():
        locked = Operation.objects.select_for_update().get(pk=target.pk)
        if locked.undone_at is not None:
            raise Conflict("This was undone already.")
        if locked.undoes_id is not None:
            raise Conflict("An undo is not undone; do the change again instead.")
        if not locked.revisions.exists():
            raise Conflict(f"This cannot be undone: {locked.summary}.")
        with operation(collection=locked.collection, by=by, kind="undo", summary=f"Undone: {locked.summary}") as record:
            record.operation.undoes = locked
            record.operation.save(update_fields=["undoes"])
            restored, skipped = 0, 0
            for revision in locked.revisions.order_by("-pk"):
                if _restore(revision, record):
                    restored += 1
                else:
                    skipped += 1
            if restored == 0 and skipped:
                raise Conflict("Somebody changed this since; nothing was undone.")
        locked.undone_at = timezone.now()
        locked.save(update_fields=["undone_at"])
    return record.operation, skipped


def undo_last(*, collection: Collection, by: Any) -> tuple[Operation, int]:
    """Undo the person's own newest operation that is not undone yet; KomaError when there is none."""
    last = (
        Operation.objects.filter(collection=collection, by=by, undone_at__isnull=True, undoes__isnull=True)
        .exclude(kind__startswith="run.")
        .filter(models.Exists(Revision.objects.filter(operation=models.OuterRef("pk"))))  # adding a film has none
        .first()
    )
    if last is None:
        raise KomaError("There is nothing of yours left to undo here.")
    return undo(last, by=by)


def _restore(revision: Revision, record: Recorder) -> bool:
    """Put one row back as it was; False where it was changed since, or where another row has its place now."""
    if undoable.refusal(revision.model, revision.before, revision.after):
        return False
    model = apps.get_model(revision.model)
    manager = model._default_manager
    row = manager.filter(pk=revision.object_id).first()
    if revision.after is None:  # it was deleted: make it again under its old key
        if row is not None or revision.before is None:
            return False
        row = row_from(model, revision.before)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return False
        record.created(row, frame_id=revision.frame_id)
        return True
    if row is None:
        return False
    current = snapshot(row, names=revision.after)
    if revision.before is None:  # it was created: delete it
        if any(current[k] != v for k, v in revision.after.items() if not _volatile(model, k)):
            return False
        record.deleted(row, frame_id=revision.frame_id)
        row.delete()
        return True
    same = {k: v for k, v in revision.after.items() if k != "version"}
    if any(current[k] != v for k, v in same.items()):
        return False
    before = dict(current)
    for name, value in revision.before.items():
        if name != "version":
            setattr(row, name, _from_json(model, name, value))
    if hasattr(row, "version"):
        row.version += 1
        before["version"] = row.version - 1
    try:
        with transaction.atomic():
            row.save(update_fields=[model._meta.get_field(k).name for k in before])
    except IntegrityError:  # only one of its kind may be so, and by now another one is
        return False
    record.changed(row, before=before, frame_id=revision.frame_id)
    return True


def _volatile(model: type[models.Model], name: str) -> bool:
    """Fields that change without a person's act: time stamps and counters."""
    field = model._meta.get_field(name)
    return isinstance(field, models.DateTimeField) or name == "version"


def row_from(model: type[models.Model], values: dict[str, Any]) -> models.Model:
    """The row that a snapshot is of, not saved. Raises ValueError, TypeError or LookupError for no such values."""
    names = {field.attname for field in model._meta.concrete_fields}
    if unknown := values.keys() - names:
        raise LookupError(f"{model._meta.label} has no field {min(unknown)}")
    try:
        return model(**{name: _from_json(model, name, value) for name, value in values.items()})
    except ValidationError as error:
        raise ValueError("; ".join(error.messages)) from None


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes | memoryview | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime.datetime | datetime.date | uuid.UUID):
        return str(value)
    return value


def _from_json(model: type[models.Model], name: str, value: Any) -> Any:
    field = model._meta.get_field(name)
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return bytes.fromhex(value)
    return field.to_python(value) if isinstance(field, models.Field) and not field.is_relation else value
