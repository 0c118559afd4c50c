"""Names that a model proposed and a person looked through, applied as one operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotate.actions.batches import batches
from annotate.actions.naming import answer, change_faces, named
from annotate.models import Character, Face, FaceState, NamedBy
from ingest import humane
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Operation

PEOPLE_TOLD = 3  # characters in the summary


@dataclass(frozen=True, slots=True)
class ProposedName:
    """A face, as it was (`version`), and who it is by a model, 0 to 1 sure."""

    face: int
    version: int
    character: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Applied:
    """The operation, how many faces have a name by it, and how many were left: decided or changed meanwhile."""

    operation: Operation
    named: int
    left_alone: int


def apply(
    *, collection: Collection, names: Sequence[ProposedName], by: Any, assigned: Mapping[int, str] | None = None,
    key: str = "",
) -> Applied:  # fmt: skip
    """Name faces as proposed; `assigned` (face -> name) says whom a person saw instead.

    What was only looked through is a model's name, as by a run, and can be confirmed on the character's page; what a
    person chose is the person's. Faces that have a label or another version by now, and names of characters that no
    longer exist, are left alone. Raises Conflict when that is so for all.
    """
    if not names:
        raise BadInput("Nothing is selected; no face was named.")
    assigned = assigned or {}
    proposed = {name.face: name for name in names}
    with history.operation(collection=collection, by=by, kind="faces.name_rest", summary="", key=key) as record:
        chosen = {text: named(record, collection=collection, who=text) for text in sorted(set(assigned.values()))}
        characters = Character.objects.filter(
            collection=collection, pk__in={name.character for name in names}
        ).in_bulk()
        faces = [face for face in _waiting(collection, sorted(proposed)) if _is_as_seen(face, proposed[face.pk])]
        faces = [face for face in faces if face.pk in assigned or proposed[face.pk].character in characters]

        def change(face: Face) -> None:
            if face.pk in assigned:
                answer(face, state=FaceState.FACE, character=chosen[assigned[face.pk]], by=by)
            else:
                face.character = characters[proposed[face.pk].character]
                face.confidence = proposed[face.pk].confidence
                face.named_by = NamedBy.MODEL

        changed = change_faces(record, faces, change)
        if not changed:
            raise Conflict("Somebody decided all of these faces in the meantime; nothing was changed.")
        left_alone = len(proposed) - len(changed)
        people = Counter(str(face.character) for face in changed)
        counts_text = [f"{count:,} {name}" for name, count in people.most_common(PEOPLE_TOLD)]
        if len(people) > PEOPLE_TOLD:
            counts_text.append("others")
        record.operation.summary = f"{humane.count(len(changed), 'face')} named: {', '.join(counts_text)}"
    return Applied(record.operation, len(changed), left_alone)


def _waiting(collection: Collection, keys: Sequence[int]) -> list[Face]:
    """The faces that still wait for a name, locked in the order of their keys."""
    rows: list[Face] = []
    for part in batches(keys):
        faces = Face.objects.select_for_update().filter(collection=collection, pk__in=part)
        rows += faces.unnamed().order_by("pk").defer("embedding")
    return rows


def _is_as_seen(face: Face, name: ProposedName) -> bool:
    return face.version == name.version and name.character not in face.not_characters
