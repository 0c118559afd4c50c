"""Settings of stages as texts: what a form or a command line says, turned into the values of their Params."""

from __future__ import annotations

import math
from dataclasses import Field, fields
from typing import Any

from ingest.errors import BadInput
from ingest.pipeline.contract import Stage

KINDS = {bool: "bool", int: "number", float: "number", str: "text"}
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def settings_of(stage: type[Stage[Any, Any]]) -> dict[str, Field[Any]]:
    """The settings of a stage that people choose, by name."""
    return {field.name: field for field in fields(stage.params_type) if kind_of(field) in KINDS}


def kind_of(field: Field[Any]) -> type:
    """The type of a setting's value; where the default is None, the field's metadata says it."""
    kind: type = field.metadata.get("type", type(field.default))
    return kind


def label_of(field: Field[Any]) -> str:
    """A setting in words."""
    return str(field.metadata.get("label", field.name.replace("_", " ")))


def typed(raw: str, field: Field[Any], stage_label: str) -> Any:
    """The value of a setting from text; nothing means None where that is the default. BadInput names the setting."""
    kind = kind_of(field)
    if not raw and field.default is None:
        return None
    if kind is bool:
        if raw.lower() not in (*YES, *NO):
            raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is neither true nor false.")
        return raw.lower() in YES
    choices = [value for value, _ in field.metadata.get("choices", ())]
    if choices and raw not in choices:
        raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is none of {', '.join(choices)}.")
    try:
        value = kind(raw)
    except ValueError:
        value = math.nan
    if kind is not str and not math.isfinite(value):
        raise BadInput(f"{stage_label}, {label_of(field)}: {raw!r} is not a number.")
    return value
