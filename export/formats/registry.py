"""Name of a layout -> how it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from export.algorithms.plan import Plan
from export.algorithms.recipe import Recipe
from export.formats import hierarchy, kohya
from export.formats.contract import Layout

LAYOUTS: Mapping[str, Callable[[Plan, Recipe], Layout]] = {"hierarchy": hierarchy.layout, "kohya": kohya.layout}


def layout_for(plan: Plan, recipe: Recipe) -> Layout:
    """The layout that the recipe asks for."""
    return LAYOUTS[recipe.output.layout](plan, recipe)
