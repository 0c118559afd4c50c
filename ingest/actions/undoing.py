"""Restores single rows for an undo: which may be restored, what depends on them, and why others are left."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import IntegrityError, models, transaction

from ingest import humane, undoable
from ingest.actions.row_values import from_json, row_from, snapshot, to_json
from ingest.history_rules import HistoryRules, json_keys, rules_of
from ingest.models import Revision

if TYPE_CHECKING:
    from ingest.actions.history import Recorder

BATCH = 500
PEOPLE_NAMED = 3

Model = type[models.Model]


class Outcome(enum.Enum):
    """What happened to a row, where no explanation is needed."""

    BACK = enum.auto()
    CHANGED = enum.auto()  # by somebody since
    NOTHING = enum.auto()  # only counters, which are counted again


class Restorer:
    """Rows of one operation, locked by model and key; called with its revisions in reverse order."""

    def __init__(self, record: Recorder, revisions: Iterable[Revision]) -> None:
        self.record = record
        keys_by_model: dict[str, set[int]] = {}
        for revision in revisions:
            keys_by_model.setdefault(revision.model, set()).add(revision.object_id)
        self.rows: dict[tuple[str, int], models.Model] = {}
        self.known_rows: dict[tuple[Model, Any], bool] = {}
        for model in apps.get_models():
            keys = sorted(keys_by_model.get(model._meta.label, ()))
            for start in range(0, len(keys), BATCH):
                rows = model._default_manager.select_for_update(of=("self",)).filter(pk__in=keys[start : start + BATCH])
                self.rows |= {(model._meta.label, row.pk): row for row in rows.order_by("pk")}

    def __call__(self, revision: Revision) -> Outcome | str:
        """Restore one row; a text where it is left as it is for a reason that people should know."""
        if undoable.refusal(revision.model, revision.before, revision.after):
            return Outcome.CHANGED
        model: Model = apps.get_model(revision.model)
        key = (model._meta.label, revision.object_id)
        row = self.rows.get(key)
        if revision.after is None:
            return self._recreate(model, revision) if row is None else Outcome.CHANGED
        if row is None:
            return f"{_label(model, revision.after)} no longer exists{_why_gone(revision.model, revision.object_id)}"
        if revision.before is None:
            return self._remove(row, revision)
        return self._restore_fields(row, revision)

    def _recreate(self, model: Model, revision: Revision) -> Outcome | str:
        """Recreate a deleted row under its old key."""
        values = dict(revision.before or {})
        if reason := self._clear_missing(model, values, again=True):
            return reason
        row = row_from(model, values)
        _clear_taken_places(row)
        if reason := _clash(row):
            return reason
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            return f"{_label(model, values)} can't be restored: another one has taken its place"
        self.rows[(model._meta.label, row.pk)] = row
        self.known_rows[(model, row.pk)] = True
        self.record.created(row, frame_id=revision.frame_id)
        return Outcome.BACK

    def _remove(self, row: models.Model, revision: Revision) -> Outcome | str:
        """Delete a created row where it was not changed since and no person's work depends on it."""
        assert revision.after is not None
        current = snapshot(row, names=revision.after)
        if any(current[name] != value for name, value in revision.after.items() if not _changes_by_itself(row, name)):
            return Outcome.CHANGED
        uses = list(_uses(row))
        if held := [words for model, key, rows in uses if (words := _in_use(row, model, key, rows))]:
            return f"{_label(type(row), current)} stays: {', '.join(held)}"
        for model, key, rows in uses:
            if not rules_of(model).computed:
                self._release_references(model, key, rows)
        self.record.deleted(row, frame_id=revision.frame_id)
        self.known_rows[(type(row), row.pk)] = False
        del self.rows[(row._meta.label, row.pk)]
        row.delete()
        return Outcome.BACK

    def _release_references(self, model: Model, key: str, rows: Sequence[models.Model]) -> None:
        """Remove references that models made to a row that is deleted; each change is in the history."""
        _, without = rules_of(model).by_models[key]
        for row in rows:
            if without is None:
                self.record.deleted(row, frame_id=getattr(row, "frame_id", None))
                row.delete()
                self.rows.pop((model._meta.label, row.pk), None)
                continue
            before = snapshot(row, names=without)
            for name, value in without.items():
                setattr(row, name, value)
            row.save(update_fields=[model._meta.get_field(name).name for name in without])
            self.record.changed(row, before=before, frame_id=getattr(row, "frame_id", None))
            if (known := self.rows.get((model._meta.label, row.pk))) is not None:
                for name, value in without.items():
                    setattr(known, name, value)

    def _restore_fields(self, row: models.Model, revision: Revision) -> Outcome | str:
        """Restore changed fields where they still hold what the operation wrote."""
        model, rules = type(row), rules_of(type(row))
        assert revision.before is not None
        assert revision.after is not None
        values = {name: value for name, value in revision.before.items() if name not in {"version", *rules.counted}}
        if not values:
            return Outcome.NOTHING
        current = snapshot(row, names=values)
        if any(current[name] != revision.after[name] for name in values if name not in rules.derived):
            return Outcome.CHANGED
        if reason := self._clear_missing(model, values, again=False):
            return reason
        for name, value in values.items():
            setattr(row, name, from_json(model, name, value))
        _clear_taken_places(row)
        before = dict(current)
        if hasattr(row, "version"):
            before["version"] = row.version
            row.version += 1
        moved = {name for name in values if values[name] != current[name]}
        reason = _clash(row) if rules.clashing is None or moved & rules.clashing else ""
        if reason or not _saved(row, before):
            for name, value in before.items():
                setattr(row, name, from_json(model, name, value))
            return reason or f"{_label(model, current)} is left as it is: another one has taken its place"
        self.record.changed(row, before=before, frame_id=revision.frame_id)
        return Outcome.BACK

    def _clear_missing(self, model: Model, values: dict[str, Any], *, again: bool) -> str:
        """Clear foreign keys in `values` whose rows no longer exist; a text where the row needs one of them.

        Lists of keys lose missing ones where the row is recreated (`again`); a row that exists keeps its list, since it
        may hold a replacement already: a character that another one was merged into.
        """
        rules = rules_of(model)
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey) or values.get(field.attname) is None:
                continue
            target, key = field.related_model, values[field.attname]
            if self._exists(target, key):
                continue
            if not field.null or (field.attname in rules.needed and target is not get_user_model()):
                what = f"{_label(model, values)} can't be restored" if again else f"A {_noun(model)} is left as it is"
                return f"{what}: its {field.verbose_name} no longer exists{_why_gone(target._meta.label, key)}"
            values[field.attname] = None
        for name, label in rules.json_keys.items():
            target = apps.get_model(label)
            gone_keys = [key for key in values.get(name) or () if not self._exists(target, key)]
            if gone_keys and not again:
                why = _why_gone(label, gone_keys[0])
                return f"A {_noun(model)} is left as it is: its {_noun(target)} no longer exists{why}"
            if gone_keys:
                values[name] = [key for key in values[name] if key not in gone_keys]
        return ""

    def _exists(self, target: Model, key: Any) -> bool:
        if (target, key) not in self.known_rows:
            self.known_rows[(target, key)] = target._default_manager.filter(pk=key).exists()
        return self.known_rows[(target, key)]


def _uses(row: models.Model) -> Iterable[tuple[Model, str, list[models.Model]]]:
    """All rows that refer to this one by a foreign key or in a JSON list: model, field, rows (locked, by key)."""
    for relation in row._meta.get_fields(include_hidden=True):
        if not (relation.auto_created and not relation.concrete and (relation.one_to_many or relation.one_to_one)):
            continue
        model: Model = relation.related_model  # type: ignore[assignment]
        key: str = relation.field.name  # type: ignore[union-attr]
        users = model._default_manager.select_for_update(of=("self",)).filter(**{key: row}).order_by("pk")
        if rows := list(users):
            yield model, key, rows
    for (label, name), target in json_keys().items():
        if target == row._meta.label:
            model = apps.get_model(label)
            lists = model._default_manager.filter(collection_id=getattr(row, "collection_id", None))
            if rows := [user for user in lists.exclude(**{name: []}).order_by("pk") if row.pk in getattr(user, name)]:
                yield model, name, rows


def _in_use(row: models.Model, model: Model, key: str, rows: Sequence[models.Model]) -> str:
    """Which of `rows` keep the row from being deleted: "7 faces are named Zed by rev2"; empty for models' own."""
    rules = rules_of(model)
    if rules.computed:
        return ""
    by_models: set[int] = set()
    if key in rules.by_models:
        of_models = model._default_manager.filter(rules.by_models[key][0], pk__in=[user.pk for user in rows])
        by_models = set(of_models.values_list("pk", flat=True))
    held = [user for user in rows if user.pk not in by_models]
    if not held:
        return ""
    noun = rules.noun or _noun(model)
    users = humane.count(len(held), noun, f"{noun}es" if noun.endswith("s") else "")
    verb = rules.words.get(key, "{is} of it").format(**{"is": "is" if len(held) == 1 else "are", "it": row})
    return f"{users} {verb}{_authors(held, rules)}"


def _authors(rows: Sequence[models.Model], rules: HistoryRules) -> str:
    if not rules.author:
        return ""
    counts = Counter(getattr(row, f"{rules.author}_id") for row in rows)
    people = get_user_model()._default_manager.in_bulk([key for key in counts if key is not None])
    names = [people[key].get_username() for key, _ in counts.most_common(PEOPLE_NAMED) if key in people]
    return f" by {' and '.join(names)}" if names else ""


def _why_gone(label: str, key: Any) -> str:
    """By which operation a row was deleted, if the history knows."""
    rows = Revision.objects.filter(model=label, object_id=key, after__isnull=True)
    last = rows.select_related("operation").order_by("-pk").first()
    return f" ({last.operation.summary})" if last is not None else ""


def _changes_by_itself(row: models.Model, name: str) -> bool:
    """Whether a field changes without an act of a person: time stamps, counters, computed fields."""
    rules = rules_of(type(row))
    field = row._meta.get_field(name)
    own = {"version", *rules.derived, *rules.counted, *rules.places}
    return isinstance(field, models.DateTimeField) or name in own


def _clear_taken_places(row: models.Model) -> None:
    """Clear what another row of the collection has by now (not saved)."""
    for name in rules_of(type(row)).places:
        value, collection = getattr(row, name), getattr(row, "collection_id", None)
        others = type(row)._default_manager.filter(**{name: value, "collection_id": collection}).exclude(pk=row.pk)
        if value is not None and others.exists():
            setattr(row, name, None)


def _clash(row: models.Model) -> str:
    """Why the row cannot be restored next to others that exist now; models say so in `history_clash`."""
    clash = getattr(row, "history_clash", None)
    return str(clash()) if clash is not None else ""


def _saved(row: models.Model, before: dict[str, Any]) -> bool:
    """Save the fields in `before`; False where another row has taken the unique place."""
    names = [row._meta.get_field(name).name for name in before]
    if not _may_collide(row, names):
        row.save(update_fields=names)
        return True
    try:
        with transaction.atomic():
            row.save(update_fields=names)
    except IntegrityError:
        return False
    return True


def _may_collide(row: models.Model, names: Iterable[str]) -> bool:
    unique = {field.name for field in row._meta.concrete_fields if field.unique}
    for constraint in row._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint):
            if constraint.condition is not None:  # may speak of any field
                return True
            unique |= set(constraint.fields)
    return bool(unique & set(names))


def _noun(model: Model) -> str:
    return str(model._meta.verbose_name)


def _label(model: Model, values: dict[str, Any]) -> str:
    """`Character Zed`, `Face cluster 3`, `Face`."""
    name = values.get("name") or values.get("number") or ""
    noun = _noun(model)
    return f"{noun[:1].upper()}{noun[1:]} {to_json(name)}".strip()
