"""Which models belong to a collection, in the order in which they are written.

Found by their foreign keys, so that ingest need not know the other apps.
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

# Not in a backup: what is on its way, secret links, who is there, who may see it (elsewhere a name is another person),
# how much may be kept, exports, what is made again when it is asked for.
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
    """Models of a collection with the lookup that leads to it, each after those it points to."""
    found: dict[Model, str] = {Collection: "pk"}
    candidates = [m for m in apps.get_models() if m._meta.label not in LEFT_OUT and m is not Collection]
    while True:
        fresh = {model: path for model in candidates if model not in found and (path := _path(model, found))}
        if not fresh:
            break
        found |= fresh
    ordered: dict[Model, str] = {}
    while len(ordered) < len(found):
        ready = [m for m in found if m not in ordered and all(t in ordered for t in _targets(m) if t in found)]
        if not ready:
            raise RuntimeError("The models of a collection point to each other in a circle.")
        ordered |= {model: found[model] for model in ready}
    ordered[Revision] = ordered.pop(Revision)  # last: it names rows of any model by their keys, without a foreign key
    return ordered


def shared(of: dict[Model, str]) -> dict[Model, tuple[str, ...]]:
    """Models outside of collections that rows point to (people, tags, model versions), with their natural keys."""
    found: dict[Model, tuple[str, ...]] = {}
    for model in of:
        for target in _targets(model):
            if target not in of and target not in found:
                found[target] = _natural_key(target)
    return found


def beside(of: Iterable[Model]) -> dict[Model, models.OneToOneField[Any, Any]]:
    """Models that tell more of shared rows (labels of a model version), with their only key, which leads there."""
    found: dict[Model, models.OneToOneField[Any, Any]] = {}
    targets = set(of) - {get_user_model()}
    for model in apps.get_models():
        keys = foreign_keys(model)
        if len(keys) == 1 and isinstance(keys[0], models.OneToOneField) and keys[0].related_model in targets:
            found[model] = keys[0]
    return found


def foreign_keys(model: Model) -> list[models.ForeignKey[Any, Any]]:
    """Foreign keys and one-to-one fields, in the order of the model."""
    return [field for field in model._meta.concrete_fields if isinstance(field, models.ForeignKey)]


def plain_fields(model: Model) -> list[models.Field[Any, Any]]:
    """All stored fields but the key and the foreign keys."""
    return [f for f in model._meta.concrete_fields if not f.primary_key and not isinstance(f, models.ForeignKey)]


def row_of(row: models.Model, *, fields: list[models.Field[Any, Any]]) -> dict[str, Any]:
    """JSON values by attribute name, with the key as `id`."""
    return {"id": row.pk} | {field.attname: _to_json(getattr(row, field.attname)) for field in fields}


def from_json(field: models.Field[Any, Any], value: Any) -> Any:
    """The Python value of a JSON value. Raises ValueError, TypeError or ValidationError."""
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return base64.b64decode(value, validate=True)
    return value if isinstance(field, models.JSONField) else field.to_python(value)


def check(row: models.Model, *, names: Iterable[str] | None = None) -> None:
    """Lengths, ranges and choices of the plain fields, whatever the database itself checks. Raises ValueError by name.

    Unlike `clean_fields` an empty value is fine wherever the column takes one. With `names` only these fields, without
    what the model's `clean` says of several together.
    """
    wanted = None if names is None else set(names)
    for field in plain_fields(type(row)):
        if wanted is not None and field.attname not in wanted:
            continue
        value = getattr(row, field.attname)
        problem = "it is empty" if value is None and not field.null else ""
        if value is not None and value != "" and field.choices and value not in dict(field.flatchoices):
            problem = "there is no such choice"
        if isinstance(value, float) and not math.isfinite(value):
            problem = "it is no finite number"
        try:
            if value is not None:
                field.run_validators(value)
        except ValidationError as error:
            problem = " ".join(error.messages)
        if problem:
            raise ValueError(f"{type(row)._meta.label}.{field.name}: {problem}")
    if wanted is None:
        try:
            row.clean()
        except ValidationError as error:
            raise ValueError(f"{type(row)._meta.label}: {' '.join(error.messages)}") from error


def rows_of(model: Model, path: str, collection: Collection) -> Iterator[models.Model]:
    """All rows of a collection by key, without holding them in memory."""
    return model._default_manager.filter(**{path: collection.pk}).order_by("pk").iterator(chunk_size=500)


def _to_json(value: Any) -> Any:
    if isinstance(value, bytes | memoryview | bytearray):
        return base64.b64encode(bytes(value)).decode("ascii")
    if isinstance(value, datetime.datetime | datetime.date | uuid.UUID):
        return str(value)
    return value


def _targets(model: Model) -> list[Model]:
    return [key.related_model for key in foreign_keys(model) if key.related_model is not model]


def _path(model: Model, found: dict[Model, str]) -> str:
    """`collection` itself where there is one, else through a key that is never empty."""
    keys = sorted(foreign_keys(model), key=lambda key: key.related_model is not Collection)
    for key in keys:
        target = key.related_model
        if target in found and not key.null and target is not model:
            return key.name if target is Collection else f"{key.name}__{found[target]}"
    return ""


def _natural_key(model: Model) -> tuple[str, ...]:
    if model is get_user_model():
        return (model.USERNAME_FIELD,)
    for constraint in model._meta.constraints:
        if isinstance(constraint, models.UniqueConstraint) and constraint.fields and constraint.condition is None:
            return tuple(constraint.fields)
    unique = [field.name for field in plain_fields(model) if field.unique]
    if not unique:
        raise RuntimeError(f"{model._meta.label} has no natural key; a backup cannot find its rows again.")
    return (unique[0],)
