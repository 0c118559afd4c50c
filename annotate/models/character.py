"""Character: an identity in a collection, with its outfits or forms and its aliases."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from ingest.history_rules import HistoryRules
from ingest.models import Collection

KEYS = range(1, 10)  # digits of the keyboard


class Character(models.Model):
    """An identity; with `parent` set, an outfit or form of one ("KuraueHinata Hairdown" of "KuraueHinata")."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="characters")
    name = models.CharField(max_length=200)
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="outfits")
    created_at = models.DateTimeField(auto_now_add=True)
    # The digit that means this character while one names faces. It is given once and stays until the row is gone.
    key = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=(MinValueValidator(KEYS[0]), MaxValueValidator(KEYS[-1]))
    )
    # Rises with every rename or merge; a form sends the one that it showed, and a stale one is refused.
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(fields=("collection", "name"), name="character_name_once"),
            models.UniqueConstraint(fields=("collection", "key"), name="character_key_once"),
        )

    history = HistoryRules(words={"parent": "{is} an outfit of {it}"}, places=frozenset({"key"}))

    def __str__(self) -> str:
        return self.name

    def history_clash(self) -> str:
        """Why an undo cannot write this state: the name is taken now, or an outfit would have outfits.

        Empty where it can.
        """
        others = Character.objects.filter(collection=self.collection_id, name__iexact=self.name).exclude(pk=self.pk)
        aliases = CharacterAlias.objects.filter(collection=self.collection_id, name__iexact=self.name)
        if others.exists() or aliases.exclude(character=self.pk).exists():
            return f"another character is now called {self.name}"
        if self.parent_id is None:
            return ""
        if self.parent_id == self.pk or self.outfits.exists():
            return f"{self.name} now has outfits of its own and cannot become one"
        if Character.objects.filter(pk=self.parent_id, parent__isnull=False).exists():
            return f"{self.name} cannot become an outfit again: its former character is now an outfit itself"
        return ""


class CharacterAlias(models.Model):
    """Another name of the character, found by every search for names."""

    collection = models.ForeignKey(Collection, models.CASCADE, related_name="character_aliases")
    character = models.ForeignKey(Character, models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=200)

    history = HistoryRules(words={"character": "{is} given to {it}"})

    def history_clash(self) -> str:
        """Why an undo cannot write this state: a character has the name now. Empty where it can."""
        named = Character.objects.filter(collection=self.collection_id, name__iexact=self.name)
        taken = named.exclude(pk=self.character_id).exists()
        return f"a character is called {self.name} now, so it cannot become an alias again" if taken else ""

    class Meta:
        constraints = (models.UniqueConstraint(fields=("collection", "name"), name="character_alias_once"),)
