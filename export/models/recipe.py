"""Recipe: what to select and how to arrange and caption it."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from ingest.models import Collection


class Recipe(models.Model):
    """A named set of export choices of a collection; `params` is parsed by export/algorithms/recipe.py."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="recipes")
    name = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("collection", "name"), name="recipe_name_once"),)

    def __str__(self) -> str:
        return self.name
