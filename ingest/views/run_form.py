"""The settings of stages as form fields, and back: made from each stage's Params dataclass.

A field's metadata holds `label`, `help`, `choices` (value, words) and, where the default is None, `type`: an empty
input then means None.
"""

from __future__ import annotations

import math
from dataclasses import Field, fields
from typing import Any

from django.http import QueryDict

from ingest.errors import BadInput
from ingest.models import Collection
from ingest.pipeline.contract import Stage
from ingest.pipeline.registry import stages

KINDS = {bool: "bool", int: "number", float: "number", str: "text"}


def stage_fields(stage: type[Stage[Any, Any]], collection: Collection) -> list[dict[str, Any]]:
    """For the template: one entry a setting, with the collection's own default."""
    defaults = stage.params_type(**collection.run_defaults.get(stage.name, {}))
    found = []
    for field in fields(stage.params_type):
        value = getattr(defaults, field.name)
        kind = _type_of(field)
        if kind not in KINDS:
            continue
        found.append(
            {
                "name": f"{stage.name}.{field.name}",
                "label": _label(field),
                "help": field.metadata.get("help", ""),
                "choices": field.metadata.get("choices", ()),
                "step": "any" if kind is float else "1",
                "kind": KINDS[kind],
                "value": "" if value is None else value,
            }
        )
    return found


def posted_params(form: QueryDict) -> dict[str, dict[str, Any]]:
    """Typed parameters by stage; those that the form does not hold are left out. BadInput names the setting."""
    found: dict[str, dict[str, Any]] = {}
    for name, stage in stages().items():
        for field in fields(stage.params_type):
            key, kind = f"{name}.{field.name}", _type_of(field)
            if kind is bool:
                if f"{key}.shown" in form:
                    found.setdefault(name, {})[field.name] = key in form
            elif kind in KINDS and key in form:
                found.setdefault(name, {})[field.name] = _typed(str(form[key]).strip(), field, kind, stage.label)
    return found


def _typed(raw: str, field: Field[Any], kind: type, stage_label: str) -> Any:
    if not raw and field.default is None:
        return None
    choices = [value for value, _ in field.metadata.get("choices", ())]
    if choices and raw not in choices:
        raise BadInput(f"{stage_label}, {_label(field)}: {raw!r} is none of {', '.join(choices)}.")
    try:
        value = kind(raw)
    except ValueError:
        value = math.nan
    if kind is not str and not math.isfinite(value):
        raise BadInput(f"{stage_label}, {_label(field)}: {raw!r} is not a number.")
    return value


def _type_of(field: Field[Any]) -> type:
    kind: type = field.metadata.get("type", type(field.default))
    return kind


def _label(field: Field[Any]) -> str:
    return str(field.metadata.get("label", field.name.replace("_", " ")))
