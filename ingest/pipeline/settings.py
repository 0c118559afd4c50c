"""Converts texts of a form or command line to values of stage settings."""

from __future__ import annotations

import math
from dataclasses import Field, fields
from typing import Any

from ingest.errors import BadInput
from ingest.pipeline.contract import Stage

KINDS = {bool: "bool", int: "number", float: "number", str: "text"}
_NEWER = "if_saved_before"
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def settings_of(stage: type[Stage[Any, Any]]) -> dict[str, Field[Any]]:
    """The settings of a stage that people can change, by name."""
    return {field.name: field for field in fields(stage.params_type) if kind_of(field) in KINDS}


def saved_settings(stage: type[Stage[Any, Any]], run_defaults: dict[str, Any]) -> dict[str, Any]:
    """The settings of a stage that a collection saved, empty if none.

    A setting that is newer than what was saved has the value `if_saved_before` of its metadata, so that runs stay as
    they were.
    """
    saved: dict[str, Any] = run_defaults.get(stage.name, {})
    return {field.name: field.metadata[_NEWER] for field in _newer(stage)} | saved if saved else {}


def complete_settings(stage: type[Stage[Any, Any]], values: dict[str, Any]) -> dict[str, Any]:
    """Settings to be saved, with the default of each that `saved_settings` would take for newer."""
    return {field.name: field.default for field in _newer(stage)} | values if values else {}


def _newer(stage: type[Stage[Any, Any]]) -> list[Field[Any]]:
    return [field for field in fields(stage.params_type) if _NEWER in field.metadata]


def kind_of(field: Field[Any]) -> type:
    """The type of a setting: that of its default, or `type` in the field's metadata if the default is None."""
    kind: type = field.metadata.get("type", type(field.default))
    return kind


def label_of(field: Field[Any]) -> str:
    """The label of a setting."""
    return str(field.metadata.get("label", field.name.replace("_", " ")))


def typed(raw: str, field: Field[Any], stage_label: str) -> Any:
    """Parse the value of a setting; an empty text is None if that is the default. Raises BadInput with its label."""
    kind = kind_of(field)
    if not raw and field.default is None:
        return None
    if kind is bool:
        if raw.lower() not in (*YES, *NO):
            raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is not true or false.")
        return raw.lower() in YES
    choices = [value for value, _ in field.metadata.get("choices", ())]
    if choices and raw not in choices:
        raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is not one of {', '.join(choices)}.")
    try:
        value = kind(raw)
    except ValueError:
        value = math.nan
    if kind is not str and not math.isfinite(value):
        raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is not a number.")
    return value
