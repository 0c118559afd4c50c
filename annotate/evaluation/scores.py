"""The interface of all measurements: figures as JSON and as lines, notes and the worst mistakes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from annotate.evaluation.mistakes import Mistake

NOT_IN_JSON: Mapping[str, Any] = {"in_json": False}


def rounded(digits: int, *, key: str = "") -> dict[str, Any]:
    """Metadata of a field whose floats are rounded in JSON, under another `key` than its name if one is given."""
    return {"digits": digits, "key": key}


def named(key: str) -> dict[str, Any]:
    """Metadata of a field that has another key in JSON than its name."""
    return {"key": key}


class JsonFields:
    """Base of dataclasses that are written as JSON: their fields in order, as their metadata says."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values under fixed names, for scripts and for the quality page."""
        return {
            entry.metadata.get("key") or entry.name: _as_json(getattr(self, entry.name), entry.metadata.get("digits"))
            for entry in fields(self)  # type: ignore[arg-type]  # its subclasses are dataclasses
            if entry.metadata.get("in_json", True)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores(JsonFields, ABC):
    """The result of one measurement."""

    wrong: tuple[Mistake, ...] = field(default=(), metadata=NOT_IN_JSON)  # the worst first
    remarks: Sequence[str] = field(default=(), metadata=NOT_IN_JSON)  # what was left out, and what the ground truth is

    @abstractmethod
    def lines(self) -> list[str]:
        """A few lines or a table for the terminal."""

    def notes(self) -> list[str]:
        """What was left out and why, one sentence each."""
        return list(self.remarks)

    def mistakes(self) -> Sequence[Mistake]:
        """The worst mistakes, for the page."""
        return self.wrong


def _as_json(value: Any, digits: int | None) -> Any:
    """Return the value with floats rounded, tuples as lists and keys as text."""
    if isinstance(value, JsonFields):
        return value.as_json()
    if isinstance(value, Mapping):
        return {str(key): _as_json(item, digits) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(item, digits) for item in value]
    return value if digits is None or not isinstance(value, float) else round(value, digits)
