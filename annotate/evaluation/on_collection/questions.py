"""Faces that two embedders name differently, as open questions: is it this character?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from annotate.models import Character, Face, FaceState, NamedBy
from ingest.models import Collection, FrameState


@dataclass(frozen=True, slots=True)
class Side:
    """What one embedder says: the character, and the named face because of which (None: it is gone)."""

    who: Character
    because: Face | None


@dataclass(frozen=True, slots=True)
class Question:
    """Is `face` the character of `asked`? One embedder says so, the `other` says somebody else (None: gone)."""

    face: Face
    asked_side: Side
    other: Side | None
    by_first: bool

    @property
    def sides(self) -> tuple[Side | None, Side | None]:
        """What the first and the second say."""
        return (self.asked_side, self.other) if self.by_first else (self.other, self.asked_side)


def open_questions(collection: Collection, rows: Sequence[Sequence[Any]]) -> list[Question]:
    """Of the stored questions (face, character, reference, by the first) those that nobody has answered yet.

    A face that a person named, called nobody or no face, and a character that was ruled out for it, are answered.
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
    """Faces of kept frames of the collection by key, with what a page shows of them."""
    rows = Face.objects.filter(collection=collection, frame__state=FrameState.KEPT)
    return rows.defer("embedding").select_related("frame__episode").in_bulk(set(keys))


def _waits(face: Face, who: int) -> bool:
    return face.state == FaceState.FACE and face.named_by != NamedBy.PERSON and who not in face.not_characters
