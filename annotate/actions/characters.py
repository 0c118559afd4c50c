"""Create, rename, merge and split characters; their aliases and outfits.

A form sends the `version` of the character that it showed. A stale one is a Conflict, so that an old tab never renames
or merges anything (two tabs, one of them stale, once merged two other characters).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from annotate.actions.naming import (
    answer,
    change_faces,
    check_seen,
    clean_name,
    find,
    locked_character,
    locked_faces,
)
from annotate.algorithms.name_evidence import RANKS
from annotate.models import Character, CharacterAlias, Face, FaceCluster, FaceState, FrameCharacter, ReferencePicture
from annotate.models.character import KEYS
from ingest import humane
from ingest.actions import history
from ingest.actions.history import Recorder, snapshot
from ingest.actions.seen import last_by
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Operation

ALONE = "a separate character"


@dataclass(frozen=True, slots=True)
class MergePreview:
    """Counts of what a merge would move."""

    faces: int
    frames: int
    outfits: int
    references: int


def create(
    *, collection: Collection, name: str, by: Any, parent: Character | int | None = None, key: str = ""
) -> Character:
    """Create a character, or with `parent` an outfit or form of one. Raises BadInput when the name is taken."""
    name = clean_name(name)
    with history.operation(
        collection=collection, by=by, kind="characters.create", summary=f"Character {name} created", key=key
    ) as record:
        _refuse_taken(collection, name)
        above = _parent(collection, parent)
        row = Character.objects.create(collection=collection, name=name, parent=above)
        record.created(row)
    return row


def find_or_create(*, collection: Collection, name: str, by: Any) -> Character:
    """Return the character of this name or alias; without one, create it in an operation of its own."""
    row = find(collection=collection, text=name)
    if row is not None:
        return row
    try:
        return create(collection=collection, name=name, by=by)
    except (BadInput, Conflict):
        row = find(collection=collection, text=name)  # somebody created it a moment ago
        if row is None:
            raise
        return row


def rename(
    *, collection: Collection, character: Character | int, name: str, by: Any, seen_version: int | None = None,
    key: str = "",
) -> Character:  # fmt: skip
    """Rename a character; the old name becomes an alias.

    Raises BadInput when another character has the name (to unite two, merge them), Stale when somebody else renamed
    this one.
    """
    name = clean_name(name)
    with history.operation(collection=collection, by=by, kind="characters.rename", summary="", key=key) as record:
        row = _as_seen(collection, character, seen_version, label="name", now="name", new=name)
        _refuse_taken(collection, name, but=row)
        before = snapshot(row, names=("name", "version"))
        old, row.name = row.name, name
        row.version += 1
        row.save(update_fields=["name", "version"])
        record.changed(row, before=before)
        for alias in CharacterAlias.objects.filter(character=row, name=name):
            record.deleted(alias)
            alias.delete()
        if old != name:
            _add_alias(record, row, old)
        record.operation.summary = f"{old} renamed {name}"
    return row


def add_alias(*, collection: Collection, character: Character | int, name: str, by: Any, key: str = "") -> Operation:
    """Add an alias. Raises BadInput when another character has the name."""
    name = clean_name(name)
    with history.operation(collection=collection, by=by, kind="characters.alias", summary="", key=key) as record:
        row = locked_character(collection=collection, character=character)
        _refuse_taken(collection, name)
        _add_alias(record, row, name)
        record.operation.summary = f"{row.name} is also called {name}"
    return record.operation


def remove_alias(*, collection: Collection, alias: CharacterAlias | int, by: Any, key: str = "") -> Operation:
    """Remove an alias."""
    key_of = alias if isinstance(alias, int) else alias.pk
    with history.operation(collection=collection, by=by, kind="characters.alias", summary="", key=key) as record:
        row = CharacterAlias.objects.select_for_update().filter(collection=collection, pk=key_of).first()
        if row is None:
            raise Conflict("This alias was already removed.")
        record.deleted(row)
        record.operation.summary = f"Alias {row.name} removed"
        row.delete()
    return record.operation


def set_parent(
    *, collection: Collection, character: Character | int, parent: Character | int | None, by: Any,
    seen_version: int | None = None, key: str = "",
) -> Operation:  # fmt: skip
    """Make a character an outfit or form of another, or a separate character again (parent None)."""
    with history.operation(collection=collection, by=by, kind="characters.outfit", summary="", key=key) as record:
        above = _parent(collection, parent)
        words = above.name if above else ALONE
        row = _as_seen(collection, character, seen_version, label="outfit of", now="parent", new=words)
        if above is not None and (above.pk == row.pk or row.outfits.exists()):
            raise BadInput(f"{row.name} has outfits or is the same character; it cannot become an outfit.")
        before = snapshot(row, names=("parent_id", "version"))
        row.parent = above
        row.version += 1
        row.save(update_fields=["parent", "version"])
        record.changed(row, before=before)
        what = f"an outfit of {above.name}" if above else ALONE
        record.operation.summary = f"{row.name} is {what}"
    return record.operation


def set_key(
    *, collection: Collection, character: Character | int, digit: int | None, by: Any, seen: str | None = None,
    key: str = "",
) -> Operation:  # fmt: skip
    """Give a character a key (1 to 9) or none. Who has that key gets this one's in exchange.

    `seen` is the key that the form showed, empty for none; Stale where it is another one by now.
    """
    if digit is not None and digit not in KEYS:
        raise BadInput(f"A key is a digit from {KEYS[0]} to {KEYS[-1]}.")
    with history.operation(collection=collection, by=by, kind="characters.key", summary="", key=key) as record:
        row = locked_character(collection=collection, character=character)
        old = row.key
        if seen is not None and seen != _key_text(old) and old != digit:
            raise Stale(
                f"{row.name} got another key in the meantime.",
                stored=[("key", _key_text(old) or "none")],
                sent=[("key", _key_text(digit) or "none")],
                resend={"seen": [_key_text(old)]},
            )
        holder = Character.objects.filter(collection=collection, key=digit, key__isnull=False).exclude(pk=row.pk)
        other = holder.select_for_update().first()
        record.operation.summary = f"{row.name} has {_key_words(digit)}"
        if other is not None:
            _put_key(record, other, None)  # two rows never have one key, not even for a moment
        _put_key(record, row, digit)
        if other is not None:
            _put_key(record, other, old)
            record.operation.summary += f", {other.name} has {_key_words(old)}"
    return record.operation


def _put_key(record: Recorder, row: Character, digit: int | None) -> None:
    before = snapshot(row, names=("key",))
    row.key = digit
    row.save(update_fields=["key"])
    record.changed(row, before=before)


def _key_text(digit: int | None) -> str:
    return "" if digit is None else str(digit)


def _key_words(digit: int | None) -> str:
    return "no key" if digit is None else f"key {digit}"


def merge_preview(*, character: Character) -> MergePreview:
    """Count what `merge` would move away from `character`."""
    faces = Face.objects.filter(character=character)
    return MergePreview(
        faces=faces.count(),
        frames=faces.values("frame").distinct().count(),
        outfits=character.outfits.count(),
        references=character.reference_pictures.count(),
    )


def merge(
    *, collection: Collection, character: Character | int, into: Character | int, by: Any,
    seen_version: int | None = None, key: str = "",
) -> Operation:  # fmt: skip
    """Merge a character into another: faces, outfits, aliases and references move, its name becomes an alias.

    Both rows are locked in the order of their keys, so that two merges of the same pair wait for each other.
    """
    with history.operation(collection=collection, by=by, kind="characters.merge", summary="", key=key) as record:
        keys = [row if isinstance(row, int) else row.pk for row in (character, into)]
        if keys[0] == keys[1]:
            raise BadInput("A character can't be merged with itself.")
        list(Character.objects.select_for_update().filter(pk__in=keys).order_by("pk"))
        source = _seen(collection, character, seen_version)
        target = locked_character(collection=collection, character=into)
        if target.parent_id == source.pk:
            before = snapshot(target, names=("parent_id",))
            target.parent = None
            target.save(update_fields=["parent"])
            record.changed(target, before=before)
        faces = list(Face.objects.select_for_update().filter(character=source).order_by("pk"))
        moved = change_faces(record, faces, lambda face: _hand_over(face, target))
        _hand_over_ruled_out(record, collection, source, target)
        _move_belongings(record, source, target)
        FaceCluster.objects.filter(guess=source).update(guess=target)
        record.deleted(source)
        source.delete()
        _add_alias(record, target, source.name)
        record.operation.summary = f"{source.name} merged into {target.name}: {humane.count(len(moved), 'face')}"
    return record.operation


def split(
    *, collection: Collection, character: Character | int, faces: Iterable[Face | int], name: str, by: Any,
    as_outfit: bool = False, seen: Mapping[int, int] | None = None, key: str = "",
) -> Character:  # fmt: skip
    """Move some faces of a character to a new character, or with `as_outfit` to a new outfit of it."""
    name = clean_name(name)
    with history.operation(collection=collection, by=by, kind="characters.split", summary="", key=key) as record:
        row = locked_character(collection=collection, character=character)
        chosen = locked_faces(collection=collection, faces=faces)
        if any(face.character_id != row.pk for face in chosen):
            raise Conflict(f"Some of these faces are no longer {row.name}. Reload the page.")
        check_seen(chosen, seen, state=FaceState.FACE, decision=name)
        _refuse_taken(collection, name)
        parent = (row.parent or row) if as_outfit else None
        fresh = Character.objects.create(collection=collection, name=name, parent=parent)
        record.created(fresh)
        changed = change_faces(record, chosen, lambda face: answer(face, state=FaceState.FACE, character=fresh, by=by))
        record.operation.summary = f"{humane.count(len(changed), 'face')} of {row.name} are {name}"
    return fresh


def _hand_over(face: Face, target: Character) -> None:
    """Move faces to another character. Who named them, and with which confidence, is kept."""
    face.character = target
    face.not_characters = [key for key in face.not_characters if key != target.pk]


def _hand_over_ruled_out(record: Recorder, collection: Collection, source: Character, target: Character) -> None:
    """Replace the one character by the other among the rejected ones of faces."""
    marked = Face.objects.select_for_update().filter(collection=collection).exclude(not_characters=[])
    faces = [face for face in marked.order_by("pk") if source.pk in face.not_characters]

    def change(face: Face) -> None:
        rest = [key for key in face.not_characters if key not in (source.pk, target.pk)]
        face.not_characters = rest if face.character_id == target.pk else [*rest, target.pk]

    change_faces(record, faces, change)


def _move_frames(record: Recorder, source: Character, target: Character) -> None:
    """Move characters of frames. Where a frame has both, the row of the higher rank (NameOrigin) is kept."""
    existing = {row.frame_id: row for row in FrameCharacter.objects.select_for_update().filter(character=target)}
    for row in FrameCharacter.objects.select_for_update().filter(character=source).order_by("pk"):
        other = existing.get(row.frame_id)
        if other is not None and RANKS[other.origin] <= RANKS[row.origin]:
            record.deleted(row, frame_id=row.frame_id)
            row.delete()
            continue
        if other is not None:
            record.deleted(other, frame_id=other.frame_id)
            other.delete()
        before = snapshot(row, names=("character_id",))
        row.character = target
        row.save(update_fields=["character"])
        record.changed(row, before=before, frame_id=row.frame_id)


def _move_belongings(record: Recorder, source: Character, target: Character) -> None:
    _move_frames(record, source, target)
    for alias in source.aliases.all():
        before = snapshot(alias, names=("character_id",))
        alias.character = target
        alias.save(update_fields=["character"])
        record.changed(alias, before=before)
    for outfit in source.outfits.all():
        before = snapshot(outfit, names=("parent_id",))
        outfit.parent = target.parent or target
        outfit.save(update_fields=["parent"])
        record.changed(outfit, before=before)
    owned = set(ReferencePicture.objects.filter(character=target).values_list("sha256", flat=True))
    for picture in source.reference_pictures.all():
        if picture.sha256 in owned:
            record.deleted(picture)
            picture.delete()
            continue
        before = snapshot(picture, names=("character_id",))
        picture.character = target
        picture.save(update_fields=["character"])
        record.changed(picture, before=before)


def _seen(collection: Collection, character: Character | int, seen_version: int | None) -> Character:
    row = locked_character(collection=collection, character=character)
    if seen_version is not None and int(seen_version) != row.version:
        raise Conflict(f"{row.name} was changed in the meantime. Reload the page and check it.")
    return row


def _as_seen(
    collection: Collection, character: Character | int, seen_version: int | None, *, label: str, now: str, new: str
) -> Character:
    """Return the character, locked.

    Raises Stale with both values when somebody else changed this value since it was shown.
    """
    row = locked_character(collection=collection, character=character)
    stored = str(getattr(row, now) or ALONE)
    if seen_version is not None and int(seen_version) != row.version and stored != new:
        raise Stale(
            f"{last_by(row)} changed {row.name} in the meantime.",
            stored=[(label, stored)],
            sent=[(label, new)],
            resend={"version": [str(row.version)]},
        )
    return row


def _parent(collection: Collection, parent: Character | int | None) -> Character | None:
    if parent is None:
        return None
    row = locked_character(collection=collection, character=parent)
    if row.parent_id is not None:
        raise BadInput(f"{row.name} is an outfit; choose its character as the parent.")
    return row


def _refuse_taken(collection: Collection, name: str, *, but: Character | None = None) -> None:
    taken = find(collection=collection, text=name)
    if taken is not None and (but is None or taken.pk != but.pk):
        raise BadInput(f"{taken.name} has this name or alias already. Merge the two if they are the same character.")


def _add_alias(record: Recorder, row: Character, name: str) -> None:
    alias, is_new = CharacterAlias.objects.get_or_create(
        collection_id=row.collection_id, name=name, defaults={"character": row}
    )
    if is_new:
        record.created(alias)
