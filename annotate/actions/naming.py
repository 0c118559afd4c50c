"""Shared parts of naming actions: locked rows, checks for changes by others, bulk changes with history."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.db.models import F

from annotate.actions import frame_names
from annotate.actions.batches import batches
from annotate.models import Character, CharacterAlias, Face, FaceState, NamedBy
from annotate.models.character import KEYS
from ingest import humane
from ingest.actions.history import Recorder, snapshot
from ingest.algorithms.normal_form import normal, without_invisible
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection

NAMING = (
    "state", "character_id", "confidence", "named_by", "named_user_id", "is_reference", "not_characters", "cluster_id",
)  # fmt: skip
# Marks that change the text direction: a name could imitate another one.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
NAME_MAX = 200
UNKNOWN = "unnamed"


Seen = Mapping[int, int] | None  # by a face's key the version that the page showed


def clean_name(text: str) -> str:
    """Return the name as stored: NFC, single spaces, nothing invisible. Raises BadInput when it is not valid."""
    refuse_unstorable(text, "name")
    name = " ".join(normal(without_invisible(text)).split())
    if not name:
        raise BadInput("Type a name.")
    if len(name) > NAME_MAX:
        raise BadInput(f"A name has at most {NAME_MAX} characters; this one has {len(name)}.")
    return name


def refuse_unstorable(text: str, what: str) -> None:
    """Raise BadInput for a text with characters that no name or tag has."""
    unstorable = (char for char in text if not char.isspace())
    if any(unicodedata.category(char) in ("Cc", "Cs", "Co", "Cn") or char in TURNING for char in unstorable):
        raise BadInput(f"A {what} cannot hold control characters.")


def find(*, collection: Collection, text: str) -> Character | None:
    """Return the character with this name or alias: exact, else ignoring case; None when there is none."""
    name = clean_name(text)
    for lookup in ("name", "name__iexact"):
        row = Character.objects.filter(collection=collection, **{lookup: name}).order_by("pk").first()
        if row is None:
            alias = CharacterAlias.objects.filter(collection=collection, **{lookup: name}).order_by("pk")
            first = alias.select_related("character").first()
            row = first.character if first else None
        if row is not None:
            return row
    return None


def named(record: Recorder, *, collection: Collection, who: Character | int | str) -> Character:
    """Return the character of `who`, locked: a row, a key, or a name as typed.

    A new name creates a character in this same operation, so that one undo reverts both.
    Who is named for the first time gets a free key; an undo leaves it with a character that stays.
    """
    known = find(collection=collection, text=who) if isinstance(who, str) else who
    if known is not None:
        row = locked_character(collection=collection, character=known)
        if row.key is None and (key := free_key(collection)) is not None:
            row.key = key
            row.save(update_fields=["key"])
        return row
    row = Character.objects.create(collection=collection, name=clean_name(str(who)), key=free_key(collection))
    record.created(row)
    return row


def free_key(collection: Collection) -> int | None:
    """The lowest key that no character of the collection has; None where all are given away."""
    taken = set(Character.objects.filter(collection=collection, key__isnull=False).values_list("key", flat=True))
    return next((key for key in KEYS if key not in taken), None)


def locked_faces(*, collection: Collection, faces: Iterable[Face | int]) -> list[Face]:
    """Return the current faces, locked in the order of their keys (no deadlocks). Raises Conflict when one is gone."""
    keys = {face if isinstance(face, int) else face.pk for face in faces}
    if not keys:
        raise BadInput("Select at least one face.")
    rows: list[Face] = []
    for part in batches(sorted(keys)):
        rows += Face.objects.select_for_update().filter(collection=collection, pk__in=part).order_by("pk")
    if len(rows) != len(keys):
        raise Conflict(f"{len(keys) - len(rows)} of these faces no longer exist. Reload the page.")
    return rows


def locked_character(*, collection: Collection, character: Character | int) -> Character:
    """Return the current character, locked. Raises Conflict, which names the merged one, when it is gone."""
    key = character if isinstance(character, int) else character.pk
    row = Character.objects.select_for_update().filter(collection=collection, pk=key).first()
    if row is not None:
        return row
    name = "" if isinstance(character, int) else character.name
    alias = CharacterAlias.objects.filter(collection=collection, name=name).select_related("character").first()
    if alias is not None:
        raise Conflict(
            f"{name} was merged into {alias.character.name} in the meantime. Reload the page and name the face again."
        )
    raise Conflict(f"The character {name or key} no longer exists. Reload the page.")


def check_seen(
    faces: Sequence[Face],
    seen: Seen,
    *,
    state: FaceState,
    character: Character | None = None,
    decision: str = "",
) -> None:
    """Raise Stale when another person labelled a face differently since the page was shown.

    `decision` describes the label if it is not an existing character.
    """
    if not seen:
        return
    answered = (state, character.pk if character else None)
    changed_faces = [
        face
        for face in faces
        if face.pk in seen
        and int(seen[face.pk]) != face.version
        and face.named_by == NamedBy.PERSON
        and (bool(decision) or (face.state, face.character_id) != answered)
    ]
    if not changed_faces:
        return
    whose = {face.named_user.get_username() if face.named_user else "somebody" for face in changed_faces}
    answers = Counter(face.character.name if face.character else FaceState(face.state).label for face in changed_faces)
    answer_text = next(iter(answers)) if len(answers) == 1 else "other names"
    which = "this face" if len(seen) == 1 else f"{len(changed_faces)} of these {len(seen)} faces"
    own_answer = decision or (character.name if character else UNKNOWN if state == FaceState.FACE else state.label)
    raise Stale(
        f"{', '.join(sorted(whose))} answered “{answer_text}” for {which} in the meantime.",
        stored=[(humane.count(count, "face"), name) for name, count in answers.most_common()],
        sent=[(humane.count(len(faces), "face"), own_answer)],
        resend={"face": [f"{face.pk}:{face.version}" for face in faces], "version": [str(faces[0].version)]},
    )


def change_faces(record: Recorder, faces: Sequence[Face], change: Callable[[Face], None]) -> list[Face]:
    """Apply `change` to each face, save and record the changed ones in bulk; returns them."""
    changed: list[tuple[Face, dict[str, Any]]] = []
    for face in faces:
        before = snapshot(face, names=(*NAMING, "version"))
        change(face)
        if snapshot(face, names=(*NAMING, "version")) != before:
            if face.cluster_id == before["cluster_id"]:
                del before[
                    "cluster_id"
                ]  # not part of this change: moving the face to another cluster does not prevent an undo
            face.version += 1
            changed.append((face, before))
    rows = [face for face, _ in changed]
    _write(changed)
    for face, before in changed:
        record.changed(face, before=before, frame_id=face.frame_id)
    frame_names.settle(record, (face.frame_id for face in rows))
    return rows


def _write(changed: Iterable[tuple[Face, Mapping[str, Any]]]) -> None:
    """Save the fields that differ from `before`, and a higher version.

    One update for all faces that get the same values: a branch for each face and field takes a hundred times as long.
    """
    alike: dict[str, tuple[dict[str, Any], list[int]]] = {}
    for face, before in changed:
        after = snapshot(face, names=before.keys() - {"version"})
        values = {name: value for name, value in after.items() if value != before[name]}
        alike.setdefault(repr(values), (values, []))[1].append(face.pk)
    for values, keys in alike.values():
        for part in batches(keys):
            Face.objects.filter(pk__in=part).update(**values, version=F("version") + 1)


def answer(face: Face, *, state: FaceState, character: Character | None, by: Any) -> None:
    """Set a person's label on a face (not saved)."""
    same = face.named_by == NamedBy.PERSON and (face.state, face.character_id) == (
        state,
        character.pk if character else None,
    )
    if same:
        return
    if character is not None:
        face.not_characters = [key for key in face.not_characters if key != character.pk]
    face.state = state
    face.character = character
    face.confidence = 1.0 if character else None
    face.named_by = NamedBy.PERSON
    face.named_user = by
    if character is None:
        face.is_reference = False


def rule_out(face: Face, character_id: int | None) -> None:
    """Record that a person rejected this character for a face (not saved)."""
    if character_id is not None and character_id not in face.not_characters:
        face.not_characters = [*face.not_characters, character_id]
    if face.character_id == character_id:
        clear_name(face)


def clear_name(face: Face) -> None:
    """Reset a face to unnamed (not saved)."""
    face.character = None
    face.confidence = None
    face.named_by = NamedBy.NONE
    face.named_user = None
    face.is_reference = False
