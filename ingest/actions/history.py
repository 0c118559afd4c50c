"""Records operations in the history and undoes them. Every change by a person goes through `operation`."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from ingest import undoable
from ingest.actions.row_values import snapshot
from ingest.actions.undoing import Outcome, Restorer
from ingest.errors import BadInput, Conflict, KomaError
from ingest.history_rules import rules_of
from ingest.locking import hold
from ingest.models import Collection, Frame, Operation, Revision

__all__ = [
    "Recorder",
    "Undone",
    "home_of_removed",
    "operation",
    "settled_by",
    "snapshot",
    "undo",
    "undo_last",
    "undone_on",
]

logger = logging.getLogger(__name__)

SUMMARY_MAX = 300
REASONS_SHOWN = 3

Summary = str | Callable[[], str]  # of what was done, in words
Settle = Callable[[Operation, Sequence[Revision]], None]
_settlers: dict[str, Settle] = {}
Subject = Callable[[int], models.Q]  # of a row's key (0 where the page is of no row) -> operations
_subjects: dict[str, Subject] = {}
_homes: dict[str, tuple[type[models.Model], str]] = {}
PLACE = re.compile(r"([a-z]+)(?::([0-9]{1,18}))?")


def settled_by(label: str, settle: Settle) -> None:
    """Register `settle`, which updates counters over rows of a model after every operation that changes some.

    It is called inside the operation's transaction, also for an undo, so counters cannot drift.
    """
    _settlers[label] = settle


def undone_on(page: str, subject: Subject, *, home: tuple[type[models.Model], str] | None = None) -> None:
    """Register which operations a page is about: there `undo_last` takes back no others.

    `home`, for a page about a row that an undo may remove: the row's model, and the name of the page where one is then.
    """
    _subjects[page] = subject
    if home:
        _homes[page] = home


def home_of_removed(collection: Collection, place: str) -> str:
    """Return the name of the page to show where an undo removed the row that `place` is about; else ""."""
    match = PLACE.fullmatch(place)
    if match is None or match[1] not in _homes:
        return ""
    model, home = _homes[match[1]]
    here = model._default_manager.filter(collection=collection, pk=int(match[2] or 0))
    return "" if here.exists() else home


def changes_of(*, frame_id: int) -> models.Q:
    """Operations that changed a frame or something on it."""
    revisions = models.Q(frame_id=frame_id) | models.Q(model=Frame._meta.label, object_id=frame_id)
    return models.Q(pk__in=Revision.objects.filter(revisions).values("operation"))


undone_on("frame", lambda key: changes_of(frame_id=key))


class Recorder:
    """Collects the row changes of one operation; they are written when the `operation` block ends."""

    def __init__(self, operation: Operation, collection: Collection) -> None:
        self.operation = operation
        self.collection = collection  # as it is now, locked
        self.revisions: list[Revision] = []

    def created(self, row: models.Model, *, frame_id: int | None = None) -> None:
        """Record a new row with all its fields, so that undoing an undo could restore it."""
        self._add(row, before=None, after=snapshot(row), frame_id=frame_id)

    def changed(self, row: models.Model, *, before: dict[str, Any], frame_id: int | None = None) -> None:
        """Record changed fields: `before` holds the old values, as from `snapshot`, of just these fields."""
        before = {name: value for name, value in before.items() if name not in rules_of(type(row)).counted}
        after = snapshot(row, names=before)
        if after != before:
            self._add(row, before=before, after=after, frame_id=frame_id)

    def deleted(self, row: models.Model, *, frame_id: int | None = None) -> None:
        """Record a row that is about to be deleted; call it before."""
        self._add(row, before=snapshot(row), after=None, frame_id=frame_id)

    def _add(self, row: models.Model, **values: Any) -> None:
        if why := undoable.refusal(row._meta.label, values["before"], values["after"]):
            raise ValueError(f"{why}: add it to ingest/undoable.py, or do not record it.")
        self.revisions.append(Revision(operation=self.operation, model=row._meta.label, object_id=row.pk, **values))


@contextmanager
def operation(
    *, collection: Collection, by: Any, kind: str, summary: Summary, model: str = "", key: str = ""
) -> Iterator[Recorder]:
    """Open one operation in one transaction; a callable `summary` is called at its end (or set
    `recorder.operation.summary` inside the block).

    It holds the collection's write lock from its first statement to the commit: what is read inside stays true.
    `key` is the request's idempotency key: a second use by the same person raises Conflict and writes nothing. So does
    a row that somebody else made at the same moment (two who give one name to a new character).
    """
    try:
        with _operation(collection=collection, by=by, kind=kind, summary=summary, model=model, key=key) as recorder:
            yield recorder
    except IntegrityError as error:
        logger.warning("%s was not done: %s", kind, error)
        text = "Somebody else changed this at the same moment; nothing was saved. Reload the page and try again."
        raise Conflict(text) from error


@contextmanager
def _operation(
    *, collection: Collection, by: Any, kind: str, summary: Summary, model: str, key: str
) -> Iterator[Recorder]:
    with transaction.atomic():
        held = hold(collection)
        text = "" if callable(summary) else summary[:SUMMARY_MAX]
        row = Operation(collection=collection, by=by, kind=kind, summary=text, model=model, key=key)
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise Conflict("Already done (duplicate request).") from None
        recorder = Recorder(row, held)
        yield recorder
        row.summary = (summary() if callable(summary) else row.summary)[:SUMMARY_MAX]
        row.save(update_fields=["summary"])
        Revision.objects.bulk_create(recorder.revisions, batch_size=1000)
        for label, settle in _settlers.items():
            if changes := [revision for revision in recorder.revisions if revision.model == label]:
                settle(row, changes)


class Undone(NamedTuple):
    """What an undo did: its own operation, how many rows were left as they are, and why."""

    operation: Operation
    skipped: int
    reasons: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """For the person who pressed Undo."""
        return " ".join([f"{self.operation.summary}.", *self.reasons]) if self.reasons else self.operation.summary


def undo(target: Operation, *, by: Any) -> Undone:
    """Undo an operation, except for rows that were changed since.

    Rows are processed in reverse order; each is restored only where its fields still hold what the operation wrote. A
    created row is removed only where nothing depends on it; whatever changes with it belongs to the new operation.
    Where nothing can be restored, or the operation was undone before, Conflict says why and nothing is written.
    """
    summary = f"Undone: {target.summary}"
    with operation(collection=target.collection, by=by, kind="undo", summary=summary) as record:
        locked = Operation.objects.select_for_update().get(pk=target.pk)
        if locked.undone_at is not None:
            raise Conflict("Already undone.")
        if locked.undoes_id is not None:
            raise Conflict("Undo can't be undone; repeat the change.")
        revisions = list(locked.revisions.order_by("-pk"))
        if not revisions:
            raise Conflict(f"This cannot be undone: {locked.summary}.")
        outcomes = [restore(revision) for restore in [Restorer(record, revisions)] for revision in revisions]
        skipped = outcomes.count(Outcome.CHANGED) + sum(isinstance(outcome, str) for outcome in outcomes)
        reasons = _reasons(outcomes)
        if Outcome.BACK not in outcomes and skipped:
            raise Conflict(" ".join(["Nothing was undone.", *reasons]))
        record.operation.undoes = locked
        record.operation.save(update_fields=["undoes"])
        locked.undone_at = timezone.now()
        locked.save(update_fields=["undone_at"])
        if connection.vendor == "postgresql":
            connection.check_constraints()  # keys are checked at the commit otherwise, too late for words
    return Undone(record.operation, skipped, tuple(reasons))


def undo_last(*, collection: Collection, by: Any, place: str = "") -> Undone:
    """Undo the person's own newest operation that is not undone yet; KomaError when there is none.

    `place` is the page where the person is ("faces", "frame:12"); only what that page is about is taken back there.

    An operation that can no longer be undone raises Conflict and is skipped from then on, so that the next call takes
    the one before it.
    """
    rows = Operation.objects.filter(
        _subject(place), collection=collection, by=by, undone_at=None, undoes=None, passed_at=None
    ).filter(models.Exists(Revision.objects.filter(operation=models.OuterRef("pk"))))  # adding a film has none
    with transaction.atomic():
        hold(collection)  # of two undos at once the second takes the change before
        last = rows.first()
        if last is None:
            raise KomaError("Nothing left to undo on this page." if place else "Nothing left to undo.")
        try:
            return undo(last, by=by)
        except Conflict as error:
            refusal = error
            Operation.objects.filter(pk=last.pk).update(passed_at=timezone.now())
    reason = f"“{last.summary}” can no longer be undone. {refusal.message}"
    text = f"{reason} The next undo takes back your change before that."
    raise Conflict(text) from refusal


def _subject(place: str) -> models.Q:
    """The operations that the page `place` is about; BadInput for a page that nobody registered."""
    if not place:
        return models.Q()
    match = PLACE.fullmatch(place)
    subject = _subjects.get(match[1]) if match else None
    if match is None or subject is None:
        raise BadInput("Page not found.")
    return subject(int(match[2] or 0))


def _reasons(outcomes: Sequence[Outcome | str]) -> list[str]:
    """The first reasons, each once; the last says how many rows were changed since, or have reasons not shown."""
    rows_by_reason = Counter(f"{outcome}." for outcome in outcomes if isinstance(outcome, str))
    if changed := outcomes.count(Outcome.CHANGED):
        rows_by_reason[f"{changed:,} {_was(changed)} changed since then and left as is."] = changed
    reasons = list(rows_by_reason)[:REASONS_SHOWN]
    if rest := rows_by_reason.total() - sum(rows_by_reason[reason] for reason in reasons):
        reasons.append(f"{rest:,} more {_was(rest)} left as is for other reasons.")
    return reasons


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
