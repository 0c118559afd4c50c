"""Work on whole clusters of faces: name all at once, remove faces, split, merge, mark as not in the cast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Max

from annotate.actions.naming import answer, change_faces, locked_faces, named, rule_out
from annotate.models import Character, Face, FaceCluster, FaceState, NamedBy
from ingest import humane
from ingest.actions import history
from ingest.actions.history import Recorder, snapshot
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Operation


@dataclass(frozen=True, slots=True)
class ClusterNamed:
    """Result of naming a cluster; `left_alone` faces have a different label by a person."""

    operation: Operation
    named: int
    taken_out: int
    left_alone: int


def name(
    *, collection: Collection, cluster: FaceCluster | int, character: Character | int | str, by: Any,
    taken_out: Iterable[Face | int] = (), key: str = "",
) -> ClusterNamed:  # fmt: skip
    """Name all faces of a cluster except `taken_out`, which leave it and get this character rejected.

    A new name creates a character. Faces with a different label by a person are unchanged. Raises Conflict when that is
    so for all of them, or when the cluster or character is gone.
    """
    with history.operation(collection=collection, by=by, kind="clusters.name", summary="", key=key) as record:
        who = named(record, collection=collection, who=character)
        row, faces = _locked(collection, cluster)
        out = {face if isinstance(face, int) else face.pk for face in taken_out}
        _check_waits(row, faces, who.pk, sent=who.name)
        if not any(face.pk not in out for face in faces):
            raise BadInput("All faces of this group are deselected; nothing is left to name.")
        left_alone = sum(
            face.pk not in out and face.named_by == NamedBy.PERSON and face.character_id != who.pk for face in faces
        )

        def change(face: Face) -> None:
            if face.pk in out:
                face.cluster = None
                if face.named_by != NamedBy.PERSON:
                    rule_out(face, who.pk)
            elif face.named_by != NamedBy.PERSON and face.state == FaceState.FACE:
                answer(face, state=FaceState.FACE, character=who, by=by)

        changed = change_faces(record, faces, change)
        removed = sum(face.pk in out for face in faces)
        _guess(record, row, who)
        count = sum(face.character_id == who.pk for face in changed)
        record.operation.summary = f"{humane.count(count, 'face')} named {who.name}"
        if removed:
            record.operation.summary += f", {removed:,} removed"
    return ClusterNamed(record.operation, count, removed, left_alone)


def _check_waits(row: FaceCluster, faces: list[Face], character: int | None, *, sent: str) -> None:
    """Raise Stale when people labelled every face differently since the page was shown.

    `character` is the answer's key, None for not in the cast; `sent` is the answer in words.
    """
    if not faces:
        raise Conflict(f"Somebody reviewed all faces of group {row.number} in the meantime. Reload the page.")
    if all(face.named_by == NamedBy.PERSON and face.character_id not in (None, character) for face in faces):
        first = faces[0]
        by = first.named_user.get_username() if first.named_user else "somebody"
        raise Stale(
            f"{by} named group {row.number} “{first.character}” in the meantime.",
            stored=[(humane.count(len(faces), "face"), first.character.name if first.character else "")],
            sent=[(humane.count(len(faces), "face"), sent)],
            resend={"face": [f"{face.pk}:{face.version}" for face in faces]},
        )


def nobody(*, collection: Collection, cluster: FaceCluster | int, by: Any, key: str = "") -> Operation:
    """Mark a cluster as not in the cast; faces named by a person stay. Raises Conflict when people named them all."""
    with history.operation(collection=collection, by=by, kind="clusters.nobody", summary="", key=key) as record:
        row, faces = _locked(collection, cluster)
        _check_waits(row, faces, None, sent=FaceState.NOBODY.label)
        free = [face for face in faces if face.named_by != NamedBy.PERSON]
        changed = change_faces(record, free, lambda face: answer(face, state=FaceState.NOBODY, character=None, by=by))
        record.operation.summary = f"{humane.count(len(changed), 'face')} marked as not in the cast"
    return record.operation


def take_out(*, collection: Collection, faces: Iterable[Face | int], by: Any, key: str = "") -> Operation:
    """Remove faces from their clusters."""

    def change(face: Face) -> None:
        face.cluster = None

    with history.operation(collection=collection, by=by, kind="clusters.take_out", summary="", key=key) as record:
        rows = locked_faces(collection=collection, faces=faces)
        changed = change_faces(record, rows, change)
        record.operation.summary = f"{humane.count(len(changed), 'face')} removed from their group"
    return record.operation


def split(
    *, collection: Collection, cluster: FaceCluster | int, faces: Iterable[Face | int], by: Any, key: str = ""
) -> FaceCluster:
    """Move some faces of a cluster into a new one, and return it."""
    with history.operation(collection=collection, by=by, kind="clusters.split", summary="", key=key) as record:
        row, members = _locked(collection, cluster)
        keys = {face if isinstance(face, int) else face.pk for face in faces}
        moved = [face for face in members if face.pk in keys]
        if len(moved) != len(keys):
            raise Conflict("Some of these faces are no longer in the group. Reload the page.")
        if not moved or len(moved) == len(members):
            raise BadInput("To split the group, choose some but not all of its faces.")
        fresh = FaceCluster.objects.create(
            collection=collection, number=next_number(collection), size=len(moved), purity=row.purity
        )
        record.created(fresh)
        _move(record, moved, fresh)
        record.operation.summary = f"{humane.count(len(moved), 'face')} split off into a new group"
    return fresh


def merge(
    *, collection: Collection, into: FaceCluster | int, others: Iterable[FaceCluster | int], by: Any, key: str = ""
) -> FaceCluster:
    """Merge other clusters into one; the emptied clusters are deleted."""
    with history.operation(collection=collection, by=by, kind="clusters.merge", summary="", key=key) as record:
        target, _ = _locked(collection, into)
        count = 0
        for other in others:
            row, _ = _locked(collection, other)
            if row.pk == target.pk:
                raise BadInput("A group can't be merged with itself.")
            members = list(Face.objects.select_for_update(of=("self",)).filter(cluster=row).order_by("pk"))
            _move(record, members, target)
            count += len(members)
            record.deleted(row)
            row.delete()
        if not count:
            raise BadInput("Choose at least one other group to merge.")
        record.operation.summary = f"{humane.count(count, 'face')} merged into group {target.number}"
    return target


def next_number(collection: Collection) -> int:
    """The smallest number above all clusters of the collection."""
    top: int | None = FaceCluster.objects.filter(collection=collection).aggregate(top=Max("number"))["top"]
    return (top or 0) + 1


def _locked(collection: Collection, cluster: FaceCluster | int) -> tuple[FaceCluster, list[Face]]:
    key = cluster if isinstance(cluster, int) else cluster.pk
    row = FaceCluster.objects.select_for_update().filter(collection=collection, pk=key).first()
    if row is None:
        raise Conflict("This group no longer exists: faces were grouped again. Reload the page.")
    members = Face.objects.select_for_update(of=("self",)).filter(cluster=row, state=FaceState.FACE).order_by("pk")
    return row, list(members)


def _move(record: Recorder, faces: list[Face], cluster: FaceCluster) -> None:
    def change(face: Face) -> None:
        face.cluster = cluster

    change_faces(record, faces, change)


def _guess(record: Recorder, row: FaceCluster, who: Character) -> None:
    before = snapshot(row, names=("guess_id", "guess_score"))
    row.guess, row.guess_score = who, 1.0
    row.save(update_fields=["guess", "guess_score"])
    record.changed(row, before=before)
