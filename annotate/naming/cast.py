"""Lookup of characters by the names in files and of taggers: by name and alias, ignoring case and separators."""

from __future__ import annotations

from typing import Any

from annotate.actions import characters
from annotate.models import Character, CharacterAlias
from ingest.algorithms.normal_form import normal
from ingest.errors import BadInput
from ingest.models import Collection


def comparable(name: str) -> str:
    """What two spellings of one name share: `Hatsune Miku`, `hatsune_miku` and `HatsuneMiku` are one.

    Case, width, spaces and underscores go; other signs tell people apart: `Mr.X` and `MrX` may be two.
    """
    folded = normal(name, "NFKC").casefold()
    return "".join(char for char in folded if not char.isspace() and char != "_")


def letters(name: str) -> str:
    """What two spellings share that differ by signs: a hint that they may be one, and no more."""
    return "".join(char for char in comparable(name) if char.isalnum())


class Cast:
    """The characters of a collection by their names and aliases, read once."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self._exact: dict[str, int] = {}
        self._by_comparable: dict[str, int | None] = {}  # None: two characters share it
        self._letters: dict[str, dict[int, str]] = {}  # names by character, of those that share their letters
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
        short = comparable(name)
        if short and self._by_comparable.setdefault(short, key) != key:
            self._by_comparable[short] = None
        if like := letters(name):
            self._letters.setdefault(like, {}).setdefault(key, name)

    def find(self, name: str) -> int | None:
        """The key of the character that is called so; exactly, else by what spellings share where that is one alone."""
        return self._exact.get(name) or self._by_comparable.get(comparable(name))

    def like(self, name: str) -> list[str]:
        """Names of characters that may be meant by one that `find` does not find: they differ by signs alone."""
        return [] if self.find(name) is not None else sorted(self._letters.get(letters(name), {}).values())

    def find_or_create(self, name: str, *, by: Any) -> int | None:
        """As `find`; a new character is made where nobody is called so. None for what cannot be a name, and where
        another character may be meant: a person decides."""
        key = self.find(name)
        if key is not None or self._by_comparable.get(comparable(name), 0) is None or self.like(name):
            return key
        try:
            row = characters.find_or_create(collection=self.collection, name=name, by=by)
        except BadInput:
            return None
        self._add(row.pk, row.name)
        self._add(row.pk, name)
        return row.pk
