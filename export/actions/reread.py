"""Brings what a re-sorted folder says into the database: as a person's word, with history and undo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from annotate.actions import characters as character_actions
from annotate.actions import faces as face_actions
from annotate.models import Face, FaceState
from export.rereading import Moved, by_key
from ingest.errors import BadInput
from ingest.models import Collection, Frame


@dataclass(slots=True)
class Applied:
    """How many faces were named or unnamed, and each picture that could not be settled, with the reason."""

    named: int = 0
    unnamed: int = 0
    open: list[str] = field(default_factory=list)


def apply(*, collection: Collection, moved: Iterable[Moved], by: Any) -> Applied:
    """Name the faces of moved pictures as their new folder says, one operation a character.

    A picture is settled when it is plain which face is meant: one face; one name exchanged for another; one name
    added where one face has none; names taken away. Anything else, and whatever changed since the export, stays open.
    """
    moved = list(moved)
    applied = Applied(open=[f"{one.path}: {one.problem}" for one in moved if one.problem])
    applied.open += [f"{one.path}: a crop; move the picture it was cut from" for one in moved if one.is_crop]
    naming: dict[str, list[int]] = defaultdict(list)
    unnaming: list[int] = []
    frames = _frames(collection, moved)
    for source, index, one in by_key(moved):
        frame = frames.get((source, index))
        if frame is None:
            applied.open.append(f"{one.path}: its frame is not in this collection")
            continue
        faces = [face for face in frame.faces.all() if face.state == FaceState.FACE]
        problem = _settle(one, faces, naming, unnaming)
        if problem:
            applied.open.append(f"{one.path}: {problem}")
    for name, keys in sorted(naming.items()):
        try:
            who = character_actions.find_or_create(collection=collection, name=name, by=by)
        except BadInput as error:
            applied.open.append(f"{name}: {error.message}")
            continue
        face_actions.assign(collection=collection, faces=keys, character=who, by=by)
        applied.named += len(keys)
    if unnaming:
        face_actions.unname(collection=collection, faces=unnaming, by=by)
        applied.unnamed = len(unnaming)
    return applied


def _frames(collection: Collection, moved: Iterable[Moved]) -> dict[tuple[str, int], Frame]:
    sources = {row.source.sha256[:20]: row.pk for row in collection.episodes.select_related("source")}
    wanted: dict[str, list[int]] = defaultdict(list)
    for source, index, _ in by_key(moved):
        wanted[source].append(index)
    found: dict[tuple[str, int], Frame] = {}
    for source, indexes in wanted.items():
        rows = Frame.objects.filter(collection=collection, episode_id=sources.get(source, 0), index__in=indexes)
        for frame in rows.prefetch_related("faces__character"):
            found[(source, frame.index)] = frame
    return found


def _settle(one: Moved, faces: list[Face], naming: dict[str, list[int]], unnaming: list[int]) -> str:
    """Note which faces get which name; returns why not when it is not plain."""
    current = {face.character.name for face in faces if face.character is not None}
    if current != set(one.before):
        return "its faces were named otherwise since the export"
    added, removed = set(one.now) - current, current - set(one.now)
    without = [face for face in faces if face.character is None]
    leaving = [face for face in faces if face.character is not None and face.character.name in removed]
    if len(added) == 1 and len(faces) == 1:
        naming[added.pop()].append(faces[0].pk)
    elif len(added) == 1 and len(removed) == 1:
        naming[added.pop()].extend(face.pk for face in leaving)
    elif len(added) == 1 and not removed and len(without) == 1:
        naming[added.pop()].append(without[0].pk)
    elif removed and not added:
        unnaming.extend(face.pk for face in leaving)
    else:
        return "it is not plain which face is meant; name it on its page"
    return ""
