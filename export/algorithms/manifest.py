"""A manifest: a dataset as it was planned, in values that stay when labels change.

JSON lines: a header, then the items.
Fields that have their default are left out, so that later versions can add some. Lines begin with the picture's key and
are sorted by it: two manifests are compared by one pass over both.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from export.algorithms.balance import Balance
from export.algorithms.crops import Crop
from export.algorithms.plan import Item, Items, Plan
from export.algorithms.rows import Label, Picture
from ingest import outside_json

FORMAT = 1  # of the lines; readers refuse newer ones
_SHARED = "picture"  # of a crop: the item's own


class ManifestError(ValueError):
    """A manifest that cannot be read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who says a label: a person (`name`), or a version of a model; `kind`: `person`, `model` or `file`."""

    kind: str
    name: str = ""
    task: str = ""
    revision: str = ""
    sha256: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestSource:
    """A source of pictures, by the SHA-256 of the source."""

    sha256: str
    name: str
    kind: str = ""
    image_type: str = ""
    licence_note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What applies to all items; `recipe` as its dict."""

    koma: str
    recipe: Mapping[str, Any]
    balance: Balance = field(default_factory=Balance)
    left_out: Mapping[str, int] = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)
    upscaled: Mapping[str, int] = field(default_factory=dict)
    authors: Mapping[str, Author] = field(default_factory=dict)
    sources: tuple[ManifestSource, ...] = ()

    def plan(self, items: Items) -> Plan:
        """Return the plan around the items of the manifest."""
        upscaled = {int(passes): count for passes, count in self.upscaled.items()}
        return Plan(items, self.balance, dict(self.left_out), dict(self.spelled), upscaled)


def header_line(header: Header) -> bytes:
    """Return the first line of a manifest."""
    return _line({"manifest": FORMAT} | _dumped(header))


def read_header(line: bytes) -> Header:
    """Read the first line. Raises ManifestError for anything else, and for a manifest of a newer Koma."""
    data = _parsed(line)
    version = data.pop("manifest", None)
    if not isinstance(version, int):
        raise ManifestError("This file is not a manifest of Koma.")
    if version > FORMAT:
        raise ManifestError(f"The manifest has format {version}; this version of Koma reads up to {FORMAT}.")
    return typing.cast("Header", _loaded(Header, data))


def item_line(item: Item) -> bytes:
    """Return the line of an item, beginning with its picture's key."""
    return _line({"key": item.picture.key} | _dumped(item))


def read_item(line: bytes) -> Item:
    """Read the line of an item. Raises ManifestError."""
    data = _parsed(line)
    data.pop("key", None)
    item = typing.cast("Item", _loaded(Item, data))
    if item.crop is not None:
        item = dataclasses.replace(item, crop=dataclasses.replace(item.crop, picture=item.picture))
    return item


def key_of(line: bytes) -> str:
    """Return the key of an item's line without parsing the rest."""
    if not line.startswith(b'{"key":"'):
        raise ManifestError("A line of the manifest does not begin with a key.")
    end = line.index(b'"', 8)
    return line[8:end].decode() if b"\\" not in line[8:end] else str(_parsed(line)["key"])


def _line(data: Mapping[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        data = outside_json.parsed(line.decode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise ManifestError(f"A line of the manifest is not readable: {error}") from error
    if not isinstance(data, dict):
        raise ManifestError("A line of the manifest is not an object.")
    return data


_Change = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    default: Any
    required: bool
    dump: _Change | None
    load: _Change | None


_KNOWN: dict[type[Any], tuple[_Field, ...]] = {}


def _dumped(value: Any) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for row in _fields(type(value)):
        content = getattr(value, row.name)
        if row.required or content != row.default:
            out[row.name] = content if row.dump is None else row.dump(content)
    return out


def _loaded(kind: type[Any], data: Mapping[str, Any]) -> Any:
    try:
        values = {
            row.name: data[row.name] if row.load is None else row.load(data[row.name])
            for row in _fields(kind)
            if row.name in data
        }
        if kind is Crop:
            values[_SHARED] = _NO_PICTURE
        return kind(**values)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ManifestError(f"A line of the manifest has a wrong entry: {error}") from error


def _fields(kind: type[Any]) -> tuple[_Field, ...]:
    rows = _KNOWN.get(kind)
    if rows is None:
        rows = _KNOWN[kind] = _read_fields(kind)
    return rows


def _read_fields(kind: type[Any]) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(kind)
    rows = []
    for row in dataclasses.fields(kind):
        if kind is Crop and row.name == _SHARED:
            continue
        default = row.default if row.default is not dataclasses.MISSING else None
        required = row.default is dataclasses.MISSING
        if row.default_factory is not dataclasses.MISSING:
            default, required = row.default_factory(), False
        rows.append(_Field(row.name, default, required, *_changes(hints[row.name])))
    return tuple(rows)


def _changes(hint: Any) -> tuple[_Change | None, _Change | None]:
    """Return how values of a type become JSON and come back; None where they are the same."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Label:
        return _label_row, lambda row: Label(**dict(zip(_LABEL_FIELDS, row, strict=False)))
    if dataclasses.is_dataclass(hint):
        return _dumped, lambda data: _loaded(typing.cast("type[Any]", hint), data)
    if origin in (typing.Union, types.UnionType):
        dump, load = map(_unless_none, _changes(next(arg for arg in args if arg is not type(None))))
        return dump, load
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        dump, load = _changes(args[0])
        return (None if dump is None else _each(dump, list)), (tuple if load is None else _each(load, tuple))
    if origin is tuple:
        return None, tuple
    if isinstance(origin, type) and issubclass(origin, Mapping):
        dump, load = map(_values, _changes(args[1]))
        return dump, load
    return None, None


def _unless_none(change: _Change | None) -> _Change | None:
    return None if change is None else lambda value: None if value is None else change(value)


def _each(change: _Change, kind: Callable[[Iterable[Any]], Any]) -> _Change:
    return lambda rows: kind([change(row) for row in rows])


def _values(change: _Change | None) -> _Change | None:
    return None if change is None else lambda rows: {key: change(row) for key, row in rows.items()}


_LABEL_FIELDS = tuple(row.name for row in dataclasses.fields(Label))
_NO_PICTURE = Picture(key="", stem="", file="", width=0, height=0)


def _label_row(label: Label) -> list[Any]:
    """A label as a row without names: there are millions of them."""
    return [label.tag, label.category, label.author, label.score, label.day]
