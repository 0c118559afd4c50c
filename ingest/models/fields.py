"""Fields for numbers from files, which may be anything, and for sides of boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

if TYPE_CHECKING:
    Integer = models.PositiveIntegerField[float | int | str, int]
    Number = models.FloatField[float | int | str, float]
else:
    Integer = models.PositiveIntegerField
    Number = models.FloatField

COUNT_MAX = 2**31 - 1  # what a column of this kind holds in every database
ROUNDING = 0.001


class CountField(Integer):
    """A count; one that is too large is stored as the largest that the column holds.

    A film may claim to have four billion frames. No count may make a stage fail.
    """

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)
        return min(max(prepared, 0), COUNT_MAX) if isinstance(prepared, int) else prepared

    def deconstruct(self) -> Any:
        """As the field of the database, so that migrations do not depend on this class."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.PositiveIntegerField", args, kwargs


class SideField(Number):
    """Where a side of a box is, as a part of the picture's width or height: 0 to 1, but for what rounding adds."""

    default_validators: list[Any] = [MinValueValidator(-ROUNDING), MaxValueValidator(1 + ROUNDING)]

    def deconstruct(self) -> Any:
        """As the field that it is in the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.FloatField", args, kwargs
