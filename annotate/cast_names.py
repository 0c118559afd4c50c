"""Finds characters by the names that files and taggers use: by name and alias, whatever the spelling between words."""

from __future__ import annotations

from typing import Any

from annotate.actions import characters
from annotate.models import Character, CharacterAlias
from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput
from ingest.models import Collection


def plain(name: str) -> str:
    """What two spellings of one name share: `Hatsune Miku`, `hatsune_miku` and `HatsuneMiku` are one."""
    return "".join(char for char in normal(name, "NFKC").casefold() if char.isalnum())


class Cast:
    """The characters of a collection by their names and aliases, read once."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._exact: dict[str, int] = {}
        self._plain: dict[str, int | None] = {}  # None: two characters share it
        self.parents: dict[int, int] = {}
        for key, name, parent in Character.objects.filter(collection=collection).values_list("pk", "name", "parent_id"):
            self._add(key, name)
            if parent is not None:
                self.parents[key] = parent
        aliases = CharacterAlias.objects.filter(collection=collection)
        for key, name in aliases.values_list("character_id", "name"):
            self._add(key, name)

    def _add(self, key: int, name: str) -> None:
        self._exact.setdefault(name, key)
        short = plain(name)
        if short and self._plain.setdefault(short, key) != key:
            self._plain[short] = None

    def find(self, name: str) -> int | None:
        """The key of the character that is called so; exactly, else by what spellings share where that is one alone."""
        return self._exact.get(name) or self._plain.get(plain(name))

    def find_or_create(self, name: str, *, by: Any) -> int | None:
        """As `find`; a new character is made where nobody is called so. None for what cannot be a name, and where two
        characters might be meant."""
        key = self.find(name)
        if key is not None or self._plain.get(plain(name), 0) is None:
            return key
        try:
            row = characters.find_or_create(collection=self.collection, name=name, by=by)
        except BadInput:
            return None
        self._add(row.pk, row.name)
        self._add(row.pk, name)
        return row.pk
