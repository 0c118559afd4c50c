"""Saving recipes of a collection by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from export.algorithms.recipe import Recipe
from export.models import Recipe as RecipeRow
from ingest.actions.seen import changed, fingerprint
from ingest.errors import BadInput
from ingest.models import Collection

NAME_MAX = 120


def form_values(row: RecipeRow | None, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a recipe's page shows, for its form's fingerprint: the saved name ("" for none) and all settings."""
    return {"recipe": row.name if row is not None else "", **_flat(params)}


def save(*, collection: Collection, name: str, recipe: Recipe, by: Any, seen: str | None = None) -> RecipeRow:
    """Create or replace the recipe of this name. Raises BadInput for an empty or too long name.

    With `seen`, the fingerprint of what the form showed, raises Stale if somebody else saved different settings under
    this name, or if the form was not opened from it. Settings are saved as a unit, never merged.
    """
    title = " ".join(name.split())
    if not title or len(title) > NAME_MAX:
        raise BadInput(f"Give the recipe a name of 1 to {NAME_MAX} characters.")
    with transaction.atomic():
        Collection.objects.select_for_update().get(pk=collection.pk)  # serialises concurrent saves
        row = RecipeRow.objects.select_for_update().filter(collection=collection, name=title).first()
        if row is None:
            return RecipeRow.objects.create(collection=collection, name=title, params=recipe.as_dict(), updated_by=by)
        now, new_values = form_values(row, row.params), form_values(row, recipe.as_dict())
        if seen is not None and f"recipe:{fingerprint({'recipe': title}).partition(':')[2]}" not in seen.split():
            seen = ""  # another recipe was open: nothing of this one was shown
        who = row.updated_by.get_username() if row.updated_by else "Somebody"
        now = dict.fromkeys(new_values, "") | now  # settings added since that version of Koma
        changed(seen, now=now, new=new_values, who=who, what=f"the recipe “{title}”", together=True)
        row.params, row.updated_by = recipe.as_dict(), by
        row.save()
    return row


def _flat(params: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{section}.{name}": value
        for section, values in params.items()
        if isinstance(values, dict)
        for name, value in values.items()
    }
