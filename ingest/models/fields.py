"""Fields for numbers that files tell of themselves, which may be anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Whole = models.PositiveIntegerField[float | int | str, int]
else:
    Whole = models.PositiveIntegerField

COUNT_MAX = 2**31 - 1  # what a column of this kind holds in every database


class CountField(Whole):
    """A count of something; one that is too large is written as the largest that the column holds.

    A film may say that it has four billion frames. No count is a reason for a stage to break.
    """

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return min(max(prepared, 0), COUNT_MAX) if isinstance(prepared, int) else prepared

    def deconstruct(self) -> Any:
        """As the field that it is in the database: migrations know nothing of ours."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.PositiveIntegerField", args, kwargs
