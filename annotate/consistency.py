"""Invariants of a collection under concurrent writes, and their repair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from django.db import connection, transaction
from django.db.models import Count, Q

from annotate.actions.naming import change_faces, clear_name
from annotate.counters import face_columns
from annotate.models import Character, CharacterAlias, Face, FaceCluster, FaceState, NamedBy
from ingest import consistency
from ingest.actions import history
from ingest.consistency import Fault
from ingest.locking import hold
from ingest.models import Collection, Frame, FrameState

BATCH = 500


def check(collection: Collection, *, fix: bool = False) -> list[Fault]:
    """Find all faults of a collection. With `fix`, repair those that need no guess at a person's intention.

    Everything is read at one moment: nobody writes meanwhile where something is mended (and on SQLite, which has one
    writer); on PostgreSQL people work on while it only looks.
    """
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if fix:
            hold(collection)
        elif is_outermost and connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        faults = [*_faces(collection, fix=fix), *_ruled_out(collection, fix=fix)]
        faults += [*_face_counts(collection, fix=fix), *_sizes(collection, fix=fix)]
        faults += consistency.counted(collection, fix=fix)
        faults += [*_frames(collection), *_names(collection), *_outfits(collection)]
        faults += [
            *consistency.foreign(collection),
            *consistency.files(collection, fix=fix),
            *consistency.history(collection),
        ]
    return faults


def _faces(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    """Names that say two things at once."""
    collection_faces = Face.objects.filter(collection=collection)
    named = Q(state=FaceState.FACE, character__isnull=False)
    wrong = [
        ("named by a person, but it has no name", collection_faces.unnamed().filter(named_by=NamedBy.PERSON)),
        (
            "named by a model or file, but it has no name",
            collection_faces.exclude(named_by__in=(NamedBy.NONE, NamedBy.PERSON)).exclude(named),
        ),
        ("it has a name, but not who gave it", collection_faces.filter(named, named_by=NamedBy.NONE)),
        (
            "marked as not in the cast or not a face, but it has a name",
            collection_faces.exclude(state=FaceState.FACE).exclude(character=None),
        ),
        ("it is a reference without a name", collection_faces.filter(is_reference=True).exclude(named)),
    ]
    for words, rows in wrong:
        faces = list(rows.order_by("pk"))
        if faces and fix:
            summary = f"Check: {len(faces):,} faces cleared ({words})"
            with history.operation(
                collection=collection, by=None, kind="faces.check_mended", summary=summary
            ) as record:
                change_faces(record, faces, _cleared)
        for face in faces:
            yield Fault("faces", f"Face {face.pk}", words, mended=fix)


def _cleared(face: Face) -> None:
    """A word without a name is taken back; a name without a word is a model's."""
    if face.state != FaceState.FACE:
        face.character, face.confidence, face.is_reference = None, None, False
    elif face.character_id is None:
        clear_name(face)
    else:
        face.named_by = NamedBy.MODEL


def _ruled_out(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    known = set(Character.objects.filter(collection=collection).values_list("pk", flat=True))
    marked = Face.objects.filter(collection=collection).exclude(not_characters=[])
    faces = [face for face in marked.order_by("pk") if not known.issuperset(face.not_characters)]

    def forget(face: Face) -> None:
        face.not_characters = [key for key in face.not_characters if key in known]

    if faces and fix:
        summary = f"Check: rejections of deleted characters removed from {len(faces):,} faces"
        with history.operation(collection=collection, by=None, kind="faces.check_mended", summary=summary) as record:
            change_faces(record, faces, forget)
    for face in faces:
        yield Fault("faces", f"Face {face.pk}", "a deleted character is rejected for it", mended=fix)


def _face_counts(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    last = 0
    keys = Frame.objects.filter(collection=collection).order_by("pk").values_list("pk", flat=True)
    while part := list(keys.filter(pk__gt=last)[:BATCH]):
        last = part[-1]
        wrong = face_columns.wrong_face_counts(part)
        stored = dict(Frame.objects.filter(pk__in=wrong).values_list("pk", "face_count"))
        if fix:
            face_columns.recount(frames=wrong)
        for pk, count in wrong.items():
            yield Fault("counts", f"Frame {pk}", f"face_count is {stored[pk]}, not {count}", mended=fix)


def _sizes(collection: Collection, *, fix: bool) -> Iterator[Fault]:
    keys = list(FaceCluster.objects.filter(collection=collection).values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        wrong = face_columns.wrong_sizes(keys[start : start + BATCH])
        if fix:
            face_columns.recount(clusters=wrong)
        for pk, size in wrong.items():
            yield Fault("counts", f"FaceCluster {pk}", f"its size is not {size}, the number of its faces", mended=fix)


def _frames(collection: Collection) -> Iterator[Fault]:
    kept_frames = Frame.objects.kept().filter(collection=collection)
    for pk in kept_frames.filter(Q(duplicate_of__isnull=False) | ~Q(reason="")).values_list("pk", flat=True):
        yield Fault("frames", f"Frame {pk}", "it is kept, but has a reason to be dropped")
    dropped = Frame.objects.filter(collection=collection, state=FrameState.DROPPED, reason="")
    for pk in dropped.values_list("pk", flat=True):
        yield Fault("frames", f"Frame {pk}", "it is dropped without a reason")
    same = Face.objects.real().filter(collection=collection).order_by()
    for row in same.values("frame", "left", "top", "right", "bottom").annotate(n=Count("pk")).filter(n__gt=1):
        yield Fault("faces", f"Frame {row['frame']}", f"{row['n']} faces have the same box")


def _names(collection: Collection) -> Iterator[Fault]:
    """A name means one character, whatever the case of its letters."""
    owners: dict[str, set[int]] = defaultdict(set)
    for kind, key in ((Character, "pk"), (CharacterAlias, "character_id")):
        for name, pk in kind._default_manager.filter(collection=collection).values_list("name", key):
            owners[name.casefold()].add(pk)
    for name, keys in owners.items():
        if len(keys) > 1:
            yield Fault("names", f"Character {min(keys)}", f"{len(keys)} characters are called {name}")


def _outfits(collection: Collection) -> Iterator[Fault]:
    nested = Character.objects.filter(collection=collection, parent__parent__isnull=False)
    for pk in nested.values_list("pk", flat=True):
        yield Fault("names", f"Character {pk}", "it is an outfit of an outfit")
