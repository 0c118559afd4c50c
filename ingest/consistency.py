"""Consistency checks of a collection that need no other app: keys, stored files, counts and a complete history."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from ingest import counting
from ingest.actions.row_values import snapshot
from ingest.backup import graph
from ingest.history_rules import rules_of
from ingest.imaging.store import UnknownName
from ingest.models import Collection, Frame, Revision, SourceKind
from ingest.storage import stored_files
from ingest.storage.stored_files import store

BATCH = 500
FILLED_AGAIN = frozenset({"crop", "file"})  # of these the next run makes what is missing


@dataclass(slots=True)
class Fault:
    """What is wrong with which row. `mended`: this call has fixed it."""

    check: str
    row: str
    words: str
    mended: bool = False


def counted(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    """Counts that triggers maintain."""
    wrong = counting.differences(collection.pk)
    if wrong and fix:
        counting.recount()
    for words in wrong:
        yield Fault("counts", "", words, mended=fix)


def foreign(collection: Collection) -> Iterator[Fault]:
    """Rows that refer to a row of another collection."""
    owned = graph.owned()
    for model, path in owned.items():
        for key in graph.foreign_keys(model):
            target = key.related_model
            if target is Collection or target not in owned:
                continue
            owner = f"{key.name}__{owned[target]}"
            rows = model._default_manager.filter(**{path: collection, f"{key.name}__isnull": False})
            for pk in rows.exclude(**{owner: collection}).values_list("pk", flat=True):
                yield Fault("keys", f"{model._meta.label} {pk}", f"its {key.verbose_name} is of another collection")


def files(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    """Rows that refer to a missing file. A run creates crops and full pictures of films again."""
    stored = store()
    for model, name in stored_files.file_fields():
        rows = model._default_manager.filter(collection=collection).exclude(**{name: ""}).order_by("pk")
        for pk, value in rows.values_list("pk", name).iterator(chunk_size=BATCH):
            try:
                if stored.exists(value):
                    continue
            except UnknownName:
                pass
            row = model._default_manager.filter(pk=pk, **{name: value})
            mended = fix and name in FILLED_AGAIN and (model is not Frame or _is_of_film(pk))
            if mended:
                row.update(**{name: ""})
            yield Fault("files", f"{model._meta.label} {pk}", f"{name} {value} is missing", mended=mended)


def _is_of_film(frame: int) -> bool:
    return Frame.objects.filter(pk=frame, episode__source__kind=SourceKind.VIDEO).exists()


@dataclass(slots=True)
class _Past:
    """What the history says of one row up to a revision."""

    model: type[models.Model]
    key: int
    values: dict[str, Any] = field(default_factory=dict)
    is_gone: bool = False
    of_gone_frame: bool = False


def history(collection: Collection) -> Iterator[Fault]:
    """Changes of a person's word that no revision tells: each `before` is what the revision before it left, and the
    row is what the last one left. Not so for what is computed, counted, or written by runs where no person spoke."""
    frames = set(Frame.objects.filter(collection=collection).values_list("pk", flat=True))
    rows = Revision.objects.filter(operation__collection=collection).order_by("model", "object_id", "pk")
    past: _Past | None = None
    waiting: list[_Past] = []
    for revision in rows.iterator(chunk_size=BATCH):
        if past is None or (past.model._meta.label, past.key) != (revision.model, revision.object_id):
            if past is not None:
                waiting.append(past)
            if len(waiting) >= BATCH or (waiting and waiting[-1].model._meta.label != revision.model):
                yield from _as_now(waiting)
                waiting = []
            past = _Past(apps.get_model(revision.model), revision.object_id)
        past.of_gone_frame = revision.frame_id is not None and revision.frame_id not in frames
        yield from _step(past, revision)
    if past is not None:
        waiting.append(past)
    yield from _as_now(waiting)


def _step(past: _Past, revision: Revision) -> Iterator[Fault]:
    if revision.before is not None:
        for name, value in revision.before.items():
            if name in past.values and past.values[name] != value and not _may_change(past, name, value):
                words = f"{name} was {past.values[name]!r:.60} but starts as {value!r:.60} in revision {revision.pk}"
                yield Fault("history", f"{revision.model} {revision.object_id}", words)
    past.is_gone = revision.after is None
    past.values |= revision.after or {}


def _as_now(pasts: list[_Past]) -> Iterator[Fault]:
    """Compare rows of one model with what their last revisions left."""
    if not pasts:
        return
    model = pasts[0].model
    label = model._meta.label
    rows = model._default_manager.in_bulk([past.key for past in pasts])
    for past in pasts:
        row = rows.get(past.key)
        if row is None:
            if not past.is_gone and not past.of_gone_frame and _is_a_persons(past):
                yield Fault("history", f"{label} {past.key}", "the row is missing, but no revision deletes it")
            continue
        if past.is_gone:
            yield Fault("history", f"{label} {past.key}", "the row exists, but its last revision deleted it")
            continue
        now = snapshot(row, names=past.values)
        for name, value in now.items():
            if past.values[name] != value and not _may_change(past, name, value):
                words = f"{name} is {value!r:.60}, but {past.values[name]!r:.60} in the last revision"
                yield Fault("history", f"{label} {past.key}", words)


def _is_a_persons(past: _Past) -> bool:
    """Runs take away rows on which no person spoke."""
    guards = rules_of(past.model).guards
    return not guards or any(_speaks(past.values.get(guard)) for guard in guards)


def _may_change(past: _Past, name: str, value: Any) -> bool:
    """Whether a field may change to `value` without a revision."""
    rules = rules_of(past.model)
    stored = past.model._meta.get_field(name)
    if name in rules.derived | rules.counted | rules.places or isinstance(stored, models.DateTimeField):
        return True
    if value is None and isinstance(stored, models.ForeignKey) and stored.related_model is get_user_model():
        return True  # the account is gone
    return any(name in fields and not _speaks(past.values.get(guard)) for guard, fields in rules.guards.items())


def _speaks(guard: Any) -> bool:
    return guard is True or guard == "person"
