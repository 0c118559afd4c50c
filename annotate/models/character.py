"""Character: an identity in a collection, its outfits or forms, its other names."""

from __future__ import annotations

from django.db import models

from ingest.models import Collection


class Character(models.Model):
    """An identity; with `parent` set, an outfit or form of one ("KuraueHinata Hairdown" of "KuraueHinata")."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="characters")
    name = models.CharField(max_length=200)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="outfits")
    created_at = models.DateTimeField(auto_now_add=True)
    # Rises with every rename or merge; a form sends the one it saw, a stale tab is refused.
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("collection", "name"), name="character_name_once"),)

    def __str__(self) -> str:
        return self.name


class CharacterAlias(models.Model):
    """Another name that finds the character."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="character_aliases")
    character = models.ForeignKey(Character, models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=200)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "name"), name="character_alias_once"),)
