"""Which rows refer to files of the store: for the access check of a file, and for deleting unreferenced ones.

By convention every model with stored files has a foreign key `collection` and char fields named as in FIELD_NAMES; so
this finds the files of apps that ingest must not import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, BinaryIO

from django.apps import apps
from django.conf import settings
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Q

from ingest.imaging.store import Store, UnknownName, free_bytes
from ingest.models import Collection, Revision

FIELD_NAMES = ("preview", "crop", "file", "original")  # in the order of how often they are asked for
BATCH = 500  # names in one query; SQLite allows 32,766 parameters, older ones 999


def store() -> Store:
    """The store of this site; it keeps the disk reserve free."""
    return Store(settings.KOMA_DATA_DIR / "store", reserve_bytes=settings.KOMA_DISK_RESERVE_BYTES)


def available_bytes() -> int:
    """How many more bytes the disk of this site takes, without the disk reserve; never negative."""
    return max(0, free_bytes(settings.KOMA_DATA_DIR) - settings.KOMA_DISK_RESERVE_BYTES)


def open_stored(name: str) -> BinaryIO | None:
    """The file of the store open for reading, for the caller to close; None for a name or file that does not exist."""
    try:
        return store().open(name)
    except (UnknownName, FileNotFoundError):
        return None


@cache
def file_fields() -> tuple[tuple[type[models.Model], str], ...]:
    """Pairs of model and field name that refer to stored files."""
    fields = []
    for name in FIELD_NAMES:
        for model in apps.get_models():
            try:
                field, owner = model._meta.get_field(name), model._meta.get_field("collection")
            except FieldDoesNotExist:
                continue
            if isinstance(field, models.CharField) and owner.related_model is Collection:
                fields.append((model, name))
    return tuple(fields)


def belongs_to(collection: Collection, name: str) -> bool:
    """Whether a row of the collection refers to the file. At most one query per field, each by its index."""
    return any(
        model._default_manager.filter(**{field: name, "collection": collection}).exists()
        for model, field in file_fields()
    )


def names_of(rows: dict[str, Any]) -> set[str]:
    """All file names in rows that meet the filter, e.g. `{"collection": c}` or `{"collection": c, "episode": e}`.

    Models without one of the filter's fields are looked up through their `frame`, or left out.
    """
    names: set[str] = set()
    for model, field in file_fields():
        query = _adapted(model, rows)
        if query is not None:
            names.update(model._default_manager.filter(**query).exclude(**{field: ""}).values_list(field, flat=True))
    return names


def named(names: Iterable[str]) -> set[str]:
    """The `names` that a row of any collection refers to."""
    ordered = sorted(set(names))
    in_use: set[str] = set()
    for start in range(0, len(ordered), BATCH):
        part = ordered[start : start + BATCH]
        for model, field in file_fields():
            in_use.update(model._default_manager.filter(**{f"{field}__in": part}).values_list(field, flat=True))
    return in_use


def in_history(names: Iterable[str]) -> Iterator[str]:
    """The `names` that a revision holds. One pass over the history of rows with files."""
    unseen = set(names)
    if not unseen:
        return
    for model, field in file_fields():
        rows = Revision.objects.filter(model=model._meta.label).order_by()
        rows = rows.filter(Q(before__has_key=field) | Q(after__has_key=field))
        for pair in rows.values_list(f"before__{field}", f"after__{field}").iterator(2000):
            yield from unseen.intersection(value for value in pair if isinstance(value, str))


def remove_unused(files: Store, names: Iterable[str]) -> int:
    """Delete those of the files that no row of any collection refers to; returns how many. Call it after the commit.

    The history counts as a reference, as for the sweep of forgotten files: an undo restores what a row had.
    """
    candidates = set(names)
    unused = candidates - named(candidates)
    return sum(files.remove(name) for name in unused.difference(in_history(unused)))


def _adapted(model: type[models.Model], rows: dict[str, Any]) -> dict[str, Any] | None:
    names = {field.name for field in model._meta.get_fields()}
    query: dict[str, Any] = {}
    for key, value in rows.items():
        if key in names:
            query[key] = value
        elif "frame" in names:
            query[f"frame__{key}"] = value
        else:
            return None
    return query
