"""Lists the models that belong to a collection, in the order in which they are written.

They are found by their foreign keys, so that this app does not depend on the others.
"""

from __future__ import annotations

import base64
import datetime
import math
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import models

from ingest.models import Collection, Revision

Model = type[models.Model]

# Not in a backup: running uploads, secret links, presence, members (on another server a name is another person),
# limits, exports, and data that is computed again on demand.
LEFT_OUT = frozenset(
    {
        "ingest.Upload",
        "ingest.Invitation",
        "ingest.Membership",
        "ingest.CollectionLimits",
        "ingest.EpisodeSize",
        "export.ExportJob",
        "export.FaceExample",
        "annotate.FaceVector",
        "annotate.Claim",
        "annotate.Presence",
    }
)


def owned() -> dict[Model, str]:
    """Models of a collection with the lookup path to it, each after the models it refers to."""
    paths: dict[Model, str] = {Collection: "pk"}
    candidates = [m for m in apps.get_models() if m._meta.label not in LEFT_OUT and m is not Collection]
    while True:
        new_paths = {model: path for model in candidates if model not in paths and (path := _lookup_path(model, paths))}
        if not new_paths:
            break
        paths |= new_paths
    ordered: dict[Model, str] = {}
    while len(ordered) < len(paths):
        ready = [m for m in paths if m not in ordered and all(t in ordered for t in _targets(m) if t in paths)]
        if not ready:
            raise RuntimeError("The models of a collection refer to each other in a circle.")
        ordered |= {model: paths[model] for model in ready}
    ordered[Revision] = ordered.pop(Revision)  # last: it refers to rows of any model without a foreign key
    return ordered


def shared(collection_models: dict[Model, str]) -> dict[Model, tuple[str, ...]]:
    """Models outside of collections that rows refer to (people, tags, model versions), with their natural keys."""
    natural_keys: dict[Model, tuple[str, ...]] = {}
    for model in collection_models:
        for target in _targets(model):
            if target not in collection_models and target not in natural_keys:
                natural_keys[target] = _natural_key(target)
    return natural_keys


def attached(shared_models: Iterable[Model]) -> dict[Model, models.OneToOneField[Any, Any]]:
    """Models attached to shared rows (labels of a model version), with their one-to-one field."""
    links: dict[Model, models.OneToOneField[Any, Any]] = {}
    targets = set(shared_models) - {get_user_model()}
    for model in apps.get_models():
        keys = foreign_keys(model)
        if len(keys) == 1 and isinstance(keys[0], models.OneToOneField) and keys[0].related_model in targets:
            links[model] = keys[0]
    return links


def foreign_keys(model: Model) -> list[models.ForeignKey[Any, Any]]:
    """Foreign keys and one-to-one fields in the model's order."""
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def value_fields(model: Model) -> list[models.Field[Any, Any]]:
    """All stored fields except the primary key and foreign keys."""
    return [f for f in model._meta.concrete_fields if not f.primary_key and not isinstance(f, models.ForeignKey)]


def row_of(row: models.Model, *, fields: list[models.Field[Any, Any]]) -> dict[str, Any]:
    """JSON values of a row by attribute name, with the primary key as `id`."""
    return {"id": row.pk} | {field.attname: _to_json(getattr(row, field.attname)) for field in fields}


def from_json(field: models.Field[Any, Any], value: Any) -> Any:
    """The Python value of a JSON value. Raises ValueError, TypeError or ValidationError."""
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    return value if isinstance(field, models.JSONField) else field.to_python(value)


def check(row: models.Model, *, names: Iterable[str] | None = None) -> None:
    """Check lengths, ranges and choices of the value fields. Raises ValueError with the field's name.

    Unlike `clean_fields` this allows an empty value wherever the column does. With `names` only these fields are
    checked, without the model's `clean`.
    """
    checked = None if names is None else set(names)
    for field in value_fields(type(row)):
        if checked is not None and field.attname not in checked:
            continue
        value = getattr(row, field.attname)
        problem = "it is empty" if value is None and not field.null else ""
        if value is not None and value != "" and field.choices and value not in dict(field.flatchoices):
            problem = "it is not one of the choices"
        if isinstance(value, float) and not math.isfinite(value):
            problem = "it is not a finite number"
        try:
            if value is not None:
                field.run_validators(value)
        except ValidationError as error:
            problem = " ".join(error.messages)
        if problem:
            raise ValueError(f"{type(row)._meta.label}.{field.name}: {problem}")
    if checked is None:
        try:
            row.clean()
        except ValidationError as error:
            raise ValueError(f"{type(row)._meta.label}: {' '.join(error.messages)}") from error


def rows_of(model: Model, path: str, collection: Collection) -> Iterator[models.Model]:
    """Iterate over all rows of a collection by key without loading them at once."""
    return model._default_manager.filter(**{path: collection.pk}).order_by("pk").iterator(chunk_size=500)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes | memoryview | bytearray):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, datetime.datetime | datetime.date | uuid.UUID):
        return str(value)
    return value


def _targets(model: Model) -> list[Model]:
    return [key.related_model for key in foreign_keys(model) if key.related_model is not model]


def _lookup_path(model: Model, paths: dict[Model, str]) -> str:
    """Lookup path to the collection: directly, else through a key that is never null; empty if there is none."""
    keys = sorted(foreign_keys(model), key=lambda key: key.related_model is not Collection)
    for key in keys:
        target = key.related_model
        if target in paths and not key.null and target is not model:
            return key.name if target is Collection else f"{key.name}__{paths[target]}"
    return ""


def _natural_key(model: Model) -> tuple[str, ...]:
    if model is get_user_model():
        return (model.USERNAME_FIELD,)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields and constraint.condition is None:
            return tuple(constraint.fields)
    unique = [field.name for field in value_fields(model) if field.unique]
    if not unique:
        raise RuntimeError(f"{model._meta.label} has no natural key, so a backup cannot identify its rows.")
    return (unique[0],)
