"""All formats by name. The export page, preview, builds and imports know formats from here only."""

from __future__ import annotations

from export.algorithms.balance import Balance, rounding_warnings
from export.algorithms.recipe import Recipe
from export.formats.contract import Format
from export.formats.everydream2 import EVERYDREAM2
from export.formats.kohya import KOHYA

FORMATS: dict[str, Format] = {row.name: row for row in (EVERYDREAM2, KOHYA)}


def format_of(recipe: Recipe) -> Format:
    """Return the format that a recipe is written in."""
    return FORMATS[recipe.output.layout]


def warnings_of(recipe: Recipe, balance: Balance) -> tuple[str, ...]:
    """Return what the format's program will do with this recipe and balance that may surprise."""
    row = format_of(recipe)
    return (*rounding_warnings(balance, row.rounding), *row.warnings(recipe))
