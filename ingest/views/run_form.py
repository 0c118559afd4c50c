"""Converts the settings of stages to form fields and back, from each stage's Params dataclass.

A field's metadata holds `label`, `help`, `choices` (value, words) and, where the default is None, `type`: an empty
input then means None.
"""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from ingest.models import Collection
from ingest.pipeline.contract import Stage
from ingest.pipeline.registry import stages
from ingest.pipeline.settings import KINDS, kind_of, label_of, saved_settings, settings_of, typed


def stage_fields(stage: type[Stage[Any, Any]], collection: Collection) -> list[dict[str, Any]]:
    """For the template: one entry per setting, with the collection's default."""
    defaults = stage.params_type(**saved_settings(stage, collection.run_defaults))
    fields = []
    for name, field in settings_of(stage).items():
        value = getattr(defaults, name)
        fields.append(
            {
                "name": f"{stage.name}.{name}",
                "label": label_of(field),
                "help": field.metadata.get("help", ""),
                "choices": field.metadata.get("choices", ()),
                "step": "any" if kind_of(field) is float else "1",
                "kind": KINDS[kind_of(field)],
                "value": "" if value is None else value,
            }
        )
    return fields


def posted_params(form: QueryDict) -> dict[str, dict[str, Any]]:
    """Typed parameters by stage; those missing in the form are left out. Raises BadInput, which names the setting."""
    params: dict[str, dict[str, Any]] = {}
    for name, stage in stages().items():
        for setting, field in settings_of(stage).items():
            key = f"{name}.{setting}"
            if kind_of(field) is bool:
                if f"{key}.shown" in form:
                    params.setdefault(name, {})[setting] = key in form
            elif key in form:
                params.setdefault(name, {})[setting] = typed(str(form[key]).strip(), field, stage.label)
    return params
