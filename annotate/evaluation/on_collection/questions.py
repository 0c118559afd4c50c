"""Faces that two embedders name differently, as open questions: is it this character?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from annotate.models import Character, Face, FaceState, NamedBy
from ingest.models import Collection, FrameState


@dataclass(frozen=True, slots=True)
class Side:
    """What one embedder says: the character, and the named face that led to it (None: deleted)."""

    who: Character
    because: Face | None


@dataclass(frozen=True, slots=True)
class Question:
    """Is `face` the character of `asked`? One embedder says so, the `other` says another character (None: deleted)."""

    face: Face
    asked_side: Side
    other: Side | None
    by_first: bool

    @property
    def sides(self) -> tuple[Side | None, Side | None]:
        """The answers of the first and of the second embedder."""
        return (self.asked_side, self.other) if self.by_first else (self.other, self.asked_side)


def open_questions(collection: Collection, rows: Sequence[Sequence[Any]]) -> list[Question]:
    """Of the stored questions (face, character, reference, by the first), return those without an answer by a person.

    Answered are a face that a person named or marked as not in the cast or not a face, and a rejected character.
    """
    stored = [(int(row[0]), int(row[1]), int(row[2]), bool(row[3])) for row in rows if len(row) == 4]
    faces = faces_of(collection, {key for row in stored for key in (row[0], row[2])})
    people = Character.objects.filter(collection=collection).in_bulk({row[1] for row in stored})
    sides: dict[tuple[int, bool], Side] = {
        (face, by_first): Side(people[who], faces.get(reference))
        for face, who, reference, by_first in stored
        if who in people
    }
    return [
        Question(faces[face], sides[face, by_first], sides.get((face, not by_first)), by_first)
        for face, who, _, by_first in stored
        if face in faces and (face, by_first) in sides and _waits(faces[face], who)
    ]


def faces_of(collection: Collection, keys: Iterable[int]) -> dict[int, Face]:
    """Return faces of kept frames of the collection by key, with what a page shows of them."""
    rows = Face.objects.filter(collection=collection, frame__state=FrameState.KEPT)
    return rows.defer("embedding").select_related("frame__episode").in_bulk(set(keys))


def _waits(face: Face, who: int) -> bool:
    return face.state == FaceState.FACE and face.named_by != NamedBy.PERSON and who not in face.not_characters
