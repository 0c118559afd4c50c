"""The recipe of a dataset: all options in one typed, frozen value, parsed strictly from a dict, TOML or JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from export.algorithms import format_names
from export.algorithms.balance import Weight, WeightsError, parse_weights
from export.algorithms.captions import CaptionOptions
from export.algorithms.crops import CropOptions
from export.algorithms.face_set import FaceSetOptions
from export.algorithms.levels import Arrangement
from export.algorithms.metadata import Version
from export.algorithms.selection import Selection
from export.algorithms.upscaling import UpscaleOptions
from ingest import outside_json

GENERAL_FIELDS = ("type", "series", "episode")


class RecipeError(ValueError):
    """An invalid recipe; `errors` has one message per wrong entry, with its place."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("The recipe cannot be used: " + "; ".join(errors))
        self.errors = tuple(errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataOptions:
    """Format of each picture's JSON file and its general description.

    `general` is a template with {type}, {series} and {episode}; `types` gives the word for each image type.
    """

    version: Version = "v1.2"
    general: str = "{type} {series}{episode}"
    types: tuple[tuple[str, str], ...] = (("screenshots", "anishot"),)

    def general_of(self, *, image_type: str, series: str, episode: str) -> str:
        """Return the general description of a picture; the series as one word without commas."""
        words = {
            "type": dict(self.types).get(image_type, image_type),
            "series": "".join(series.replace(",", " ").split()),
            "episode": episode,
        }
        text = self.general
        for name in GENERAL_FIELDS:
            text = text.replace("{" + name + "}", words[name])
        return " ".join(text.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceOptions:
    """Weights of folders in order of precedence, and the limits of multiply.

    `max_multiply`: 0 follows the set, so that no few pictures rule an epoch (`balance.cap_of`).
    """

    weights: tuple[Weight, ...] = ()
    min_multiply: float = 1.0
    max_multiply: float = 100.0

    def __post_init__(self) -> None:
        if self.max_multiply and not self.min_multiply <= self.max_multiply <= 1e6:
            raise ValueError("max_multiply: must be 0 to follow the set, or lie between min_multiply and 1,000,000")
        if not 0.01 <= self.min_multiply <= 1e6:
            raise ValueError("min_multiply: must lie between 0.01 and 1,000,000")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """`layout`: the name of a format (`format_names`); `caption_ending`: of caption files; empty for the trainer's
    own.

    `captions`: one per file, or all that files and models say of the picture as well, one per line. `masks`: of the
    characters, in a folder `.masks` like that of the pictures, or beside them as OneTrainer wants it.
    """

    layout: str = "hierarchy"
    caption_ending: Literal["", ".txt", ".caption"] = ""
    zip: bool = True
    masks: Literal["none", "folder", "onetrainer"] = "none"
    captions: Literal["first", "lines"] = "first"

    def __post_init__(self) -> None:
        if self.layout not in format_names.NAMES:
            raise ValueError(f"layout: choose from {', '.join(format_names.NAMES)}; found {self.layout!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that a dataset depends on besides its pictures."""

    selection: Selection = field(default_factory=Selection)
    arrange: Arrangement = field(default_factory=Arrangement)
    caption: CaptionOptions = field(default_factory=CaptionOptions)
    metadata: MetadataOptions = field(default_factory=MetadataOptions)
    crops: CropOptions = field(default_factory=CropOptions)
    face_set: FaceSetOptions = field(default_factory=FaceSetOptions)
    upscale: UpscaleOptions = field(default_factory=UpscaleOptions)
    balance: BalanceOptions = field(default_factory=BalanceOptions)
    output: OutputOptions = field(default_factory=OutputOptions)

    def __post_init__(self) -> None:
        if 0 < self.selection.size < self.upscale.below:
            allowed = self.selection.size
            raise ValueError(f"upscale.below: {self.upscale.below} pixels are more than selection.size: {allowed}")

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dict; `parse` returns the same recipe."""
        out = dataclasses.asdict(self)
        out["balance"]["weights"] = [[row.pattern, row.weight] for row in self.balance.weights]
        out["metadata"]["types"] = dict(self.metadata.types)
        return typing.cast("dict[str, Any]", json.loads(json.dumps(out)))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical form: equal recipes have equal digests."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()


def parse(data: object) -> Recipe:
    """Parse a recipe from a dict; missing entries have their defaults. Raises RecipeError naming every wrong entry."""
    if not isinstance(data, Mapping):
        raise RecipeError([f"a table of settings is expected, found {_kind(data)}"])
    errors: list[str] = []
    sections: dict[str, Any] = {}
    hints = typing.get_type_hints(Recipe)
    for name, value in data.items():
        if name not in hints:
            errors.append(f"{name}: no such section; there are {', '.join(hints)}")
        elif not isinstance(value, Mapping):
            errors.append(f"{name}: a table of settings is expected, found {_kind(value)}")
        else:
            sections[name] = _section(hints[name], name, value, errors)
    if errors:
        raise RecipeError(errors)
    try:
        return Recipe(**sections)
    except ValueError as error:
        raise RecipeError([str(error)]) from error


def parse_text(text: str, *, kind: Literal["toml", "json"]) -> Recipe:
    """Parse a recipe from TOML or JSON text. Raises RecipeError also for invalid syntax."""
    try:
        data = outside_json.parsed_toml(text) if kind == "toml" else outside_json.parsed(text)
    except ValueError as error:
        raise RecipeError([f"not readable as {kind.upper()}: {error}"]) from error
    return parse(data)


def _section(cls: type[Any], name: str, values: Mapping[str, Any], errors: list[str]) -> Any:
    hints = typing.get_type_hints(cls)
    values_read: dict[str, Any] = {}
    before = len(errors)
    for key, value in values.items():
        place = f"{name}.{key}"
        if key not in hints:
            errors.append(f"{place}: no such setting; there are {', '.join(hints)}")
            continue
        try:
            values_read[key] = _read(value, hints[key], key)
        except WeightsError as error:
            errors.extend(f"{place}: {text}" for text in error.errors)
        except ValueError as error:
            errors.append(f"{place}: {error}")
    if len(errors) > before:
        return None
    try:
        if cls is CaptionOptions:
            # The version sets the defaults of all other caption settings.
            return CaptionOptions.of_version(values_read.pop("version", "v1.2"), **values_read)
        return cls(**values_read)
    except ValueError as error:
        errors.append(f"{name}.{error}")
        return None


def _read(value: Any, hint: Any, key: str) -> Any:
    if key == "weights":
        return _weights(value)
    if key == "types":
        if not isinstance(value, Mapping) or not all(isinstance(word, str) for word in value.values()):
            raise ValueError("a table of words is expected")
        # Sorted: PostgreSQL does not preserve the key order of JSON objects.
        return tuple(sorted((str(name), str(word)) for name, word in value.items()))
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None or value == "":
            return None
        return _read(value, next(arg for arg in typing.get_args(hint) if arg is not type(None)), key)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise ValueError(f"choose from {', '.join(map(str, choices))}; found {value!r}")
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, list | tuple) or not all(isinstance(v, str) for v in value):
            raise ValueError(f"a list of texts is expected, found {_kind(value)}")
        return tuple(value)
    if key == "size" and value == "any":
        return 0
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
        raise ValueError(f"{words[hint]} is expected, found {_kind(value)}")
    if hint is float and value != value:
        raise ValueError("a number is expected, found nan")
    return value


def _weights(value: Any) -> tuple[Weight, ...]:
    if isinstance(value, str):
        return parse_weights(value)
    rows = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(rows, list | tuple):
        raise ValueError(f"rows of pattern and weight are expected, found {_kind(value)}")
    out = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list | tuple) or len(row) != 2 or not isinstance(row[0], str):
            raise ValueError(f"row {number}: a pattern and a weight are expected, found {row!r}")
        if isinstance(row[1], bool) or not isinstance(row[1], int | float):
            raise ValueError(f"row {number}: the weight of {row[0]!r} is not a number: {row[1]!r}")
        out.append(Weight(row[0], float(row[1])))
    return tuple(out)


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"[:60]
