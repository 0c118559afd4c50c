"""Save a recipe of a collection under a name."""

from __future__ import annotations

from typing import Any

from export.models import Recipe as RecipeRow
from export.recipe import Recipe
from ingest.errors import BadInput
from ingest.models import Collection

NAME_MAX = 120


def save(*, collection: Collection, name: str, recipe: Recipe, by: Any) -> RecipeRow:
    """Create or replace the recipe of this name. Raises BadInput for an empty or too long name."""
    title = " ".join(name.split())
    if not title or len(title) > NAME_MAX:
        raise BadInput(f"Give the recipe a name of 1 to {NAME_MAX} characters.")
    row, _ = RecipeRow.objects.update_or_create(
        collection=collection, name=title, defaults={"params": recipe.as_dict(), "updated_by": by}
    )
    return row
