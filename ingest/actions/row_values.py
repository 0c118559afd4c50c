"""Field values of rows as the history stores them: JSON, by attribute name."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


def snapshot(row: models.Model, *, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Field values by attribute name as JSON values; bytes as hex. Without `names` all concrete fields."""
    attnames = None if names is None else set(names)
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if attnames is None or field.attname in attnames:
            values[field.attname] = to_json(getattr(row, field.attname))
    return values


def row_from(model: type[models.Model], values: dict[str, Any]) -> models.Model:
    """An unsaved row with the values of a snapshot. Raises ValueError, TypeError or LookupError for invalid values."""
    names = {field.attname for field in model._meta.concrete_fields}
    if unknown := values.keys() - names:
        raise LookupError(f"{model._meta.label} has no field {min(unknown)}")
    try:
        return model(**{name: from_json(model, name, value) for name, value in values.items()})
    except ValidationError as error:
        raise ValueError("; ".join(error.messages)) from None


def to_json(value: Any) -> Any:
    """A field's value as a revision stores it."""
    if isinstance(value, bytes | memoryview | bytearray):
        return bytes(value).hex()
    if isinstance(value, datetime.datetime | datetime.date | uuid.UUID):
        return str(value)
    return value


def from_json(model: type[models.Model], name: str, value: Any) -> Any:
    """The inverse of `to_json`."""
    field = model._meta.get_field(name)
    if value is None:
        return None
    if isinstance(field, models.BinaryField):
        return bytes.fromhex(value)
    return field.to_python(value) if isinstance(field, models.Field) and not field.is_relation else value
