"""What the history needs to know of a model, declared in its class as `history = HistoryRules(...)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import models

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HistoryRules:
    """Fields are named as stored (`character_id`).

    derived: computed from other fields of the row. Undo never compares them and gives them back with the rest.
    counted: counters over other rows. They are in no revision; `history.settled_by` says who counts them again.
    places: values that one row of the collection has at a time, and that say nothing of the row itself. They may change
        without a revision, never keep a row from being removed, and are empty where another row has them by now.
    computed: rows of this model are computed as a whole: they go with what they belong to and keep nobody from undoing.
    needed: keys that may be empty, but whose row an undo needs: where it is gone, the change is not taken back.
    guards: by the field that says whether a person spoke, those that runs write where it does not say so.
    by_models: by key, a filter of the rows whose reference a model made, and the values that stand there without it;
        None where the row goes as a whole.
    words: by key, a participle for "3 faces are named Zed"; `noun`: what rows are called there; `author`: the key of
        who said so.
    json_keys: JSON lists of keys of rows of another model.
    clashing: the fields that the model's `history_clash` asks about; a row keeps its own where an undo changes none of
        them. None for all.
    """

    derived: frozenset[str] = NONE
    counted: frozenset[str] = NONE
    places: frozenset[str] = NONE
    computed: bool = False
    needed: frozenset[str] = NONE
    guards: Mapping[str, frozenset[str]] = field(default_factory=dict)
    by_models: Mapping[str, tuple[models.Q, Mapping[str, Any] | None]] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    noun: str = ""
    author: str = ""
    json_keys: Mapping[str, str] = field(default_factory=dict)
    clashing: frozenset[str] | None = None


_PLAIN = HistoryRules()


def rules_of(model: type[models.Model]) -> HistoryRules:
    """The rules of a model; without any, all its fields belong to people."""
    rules = getattr(model, "history", None)
    return rules if isinstance(rules, HistoryRules) else _PLAIN


def json_keys() -> dict[tuple[str, str], str]:
    """Of all models: (label, JSON field) -> label of the model whose keys the list holds."""
    return {
        (model._meta.label, name): target
        for model in apps.get_models()
        for name, target in rules_of(model).json_keys.items()
    }
