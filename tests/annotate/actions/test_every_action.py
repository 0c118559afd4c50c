"""What holds for every action of a person: it is done once per form, named in the history, and undone as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate import models
from annotate.actions import boxes, captions, characters, checks, clusters, faces, frame_characters, tags
from ingest.actions import frames, history
from ingest.errors import Conflict
from ingest.models import Collection, Frame, Operation

pytestmark = pytest.mark.django_db

TABLES = (
    Frame, models.Face, models.FaceCluster, models.Character, models.CharacterAlias, models.FrameCharacter,
    models.FrameTag, models.Caption, models.ReferencePicture, models.CheckedFrame,
)  # fmt: skip
MOVING = {"version", "at", "created_at", "updated_at", "changed_at"}  # not the same again after an undo


class Place:
    """Three frames with two faces each in two groups; Mio with two faces, an alias and an outfit; Yui by a model."""

    def __init__(self, rows: list[models.Face], groups: list[models.FaceCluster], by: User) -> None:
        self.faces, self.groups, self.frames = rows, groups, [row.frame for row in rows[::2]]
        common: dict[str, Any] = {"collection": rows[0].collection, "by": by}
        self.mio, self.yui = (characters.create(name=name, **common) for name in ("Mio", "Yui"))
        self.outfit = characters.create(name="Mio Up", parent=self.mio, **common)
        characters.add_alias(character=self.mio, name="Akiyama", **common)
        faces.assign(faces=rows[:2], character=self.mio, **common)
        by_model = {"character": self.yui, "named_by": models.NamedBy.MODEL, "confidence": 0.7}
        models.Face.objects.filter(pk=rows[4].pk).update(**by_model)
        tags.add(frames=self.frames[:1], names=["smile"], **common)
        captions.write(frame=self.frames[0], text="Before.", **common)
        self.drawn = boxes.draw(frame=self.frames[0], box=(0.5, 0.5, 0.7, 0.8), **common)


Action = Callable[..., Any]
ACTIONS: list[tuple[str, str, Callable[[Place], tuple[Action, dict[str, Any]]]]] = [
    ("faces.name", "2 faces named Mio", lambda p: (faces.assign, {"faces": p.faces[2:4], "character": p.mio})),
    ("faces.name", "1 face named Zed", lambda p: (faces.assign, {"faces": p.faces[2:3], "character": "Zed"})),
    ("faces.nobody", "1 face marked as not in the cast", lambda p: (faces.nobody, {"faces": p.faces[:1]})),
    ("faces.not_a_face", "1 face marked as not a face", lambda p: (faces.not_a_face, {"faces": p.faces[:1]})),
    ("faces.unname", "2 faces unnamed", lambda p: (faces.unname, {"faces": p.faces[:2]})),
    ("faces.is_not", "1 face not Yui", lambda p: (faces.is_not, {"faces": p.faces[:1], "character": p.yui})),
    ("faces.confirm", "1 face confirmed", lambda p: (faces.confirm, {"faces": p.faces[4:5]})),
    ("faces.check", "All faces of Ep 1, frame 0 reviewed", lambda p: (checks.check, {"frame": p.frames[0]})),
    ("faces.reference", "2 faces made references",
     lambda p: (faces.set_reference, {"faces": p.faces[:2], "is_reference": True})),
    ("faces.reference", "0 faces no longer references",
     lambda p: (faces.set_reference, {"faces": p.faces[:1], "is_reference": False})),
    ("faces.draw", "Face drawn", lambda p: (boxes.draw, {"frame": p.frames[1], "box": (0.5, 0.5, 0.7, 0.8)})),
    ("faces.draw", "Face drawn and named Zed",
     lambda p: (boxes.draw, {"frame": p.frames[1], "box": (0.5, 0.5, 0.7, 0.8), "character": "Zed"})),
    ("faces.move", "Face box moved", lambda p: (boxes.move, {"face": p.faces[0], "box": (0.2, 0.2, 0.5, 0.6)})),
    ("faces.delete", "Face box deleted", lambda p: (boxes.delete, {"face": p.drawn})),
    ("faces.delete", "Face box deleted", lambda p: (boxes.delete, {"face": p.faces[0]})),
    ("clusters.name", "1 face named Yui, 1 removed",
     lambda p: (clusters.name, {"cluster": p.groups[0], "character": p.yui, "taken_out": [p.faces[2]]})),
    ("clusters.nobody", "2 faces marked as not in the cast", lambda p: (clusters.nobody, {"cluster": p.groups[0]})),
    ("clusters.take_out", "2 faces removed from their group", lambda p: (clusters.take_out, {"faces": p.faces[:2]})),
    ("clusters.split", "1 face split off into a new group",
     lambda p: (clusters.split, {"cluster": p.groups[0], "faces": p.faces[:1]})),
    ("clusters.merge", "3 faces merged into group 1",
     lambda p: (clusters.merge, {"into": p.groups[0], "others": p.groups[1:]})),
    ("characters.create", "Character Zed created", lambda p: (characters.create, {"name": "Zed"})),
    ("characters.rename", "Mio renamed Mia", lambda p: (characters.rename, {"character": p.mio, "name": "Mia"})),
    ("characters.alias", "Mio is also called Mia",
     lambda p: (characters.add_alias, {"character": p.mio, "name": "Mia"})),
    ("characters.alias", "Alias Akiyama removed", lambda p: (characters.remove_alias, {"alias": p.mio.aliases.get()})),
    ("characters.outfit", "Yui is an outfit of Mio",
     lambda p: (characters.set_parent, {"character": p.yui, "parent": p.mio})),
    ("characters.outfit", "Mio Up is a separate character",
     lambda p: (characters.set_parent, {"character": p.outfit, "parent": None})),
    ("characters.merge", "Mio merged into Yui: 2 faces",
     lambda p: (characters.merge, {"character": p.mio, "into": p.yui})),
    ("characters.split", "1 face of Mio are Mia",
     lambda p: (characters.split, {"character": p.mio, "faces": p.faces[:1], "name": "Mia"})),
    ("frames.characters", "Yui is on this frame",
     lambda p: (frame_characters.decide, {"frame": p.frames[0], "character": p.yui, "yes": True})),
    ("frames.characters", "Yui is not on this frame",
     lambda p: (frame_characters.decide, {"frame": p.frames[0], "character": "yui", "yes": False})),
    ("tags.edit", "Tags +hat -smile",
     lambda p: (tags.edit, {"frame": p.frames[0], "seen": ["smile"], "new": ["hat"]})),
    ("tags.edit", "Tags +hat on 2 frames", lambda p: (tags.add, {"frames": p.frames[:2], "names": ["hat"]})),
    ("tags.edit", "Tags -smile", lambda p: (tags.remove, {"frames": p.frames[:1], "names": ["smile"]})),
    ("tags.edit", "Tags -hat", lambda p: (tags.answer, {"frame": p.frames[0], "name": "hat", "yes": False})),
    ("captions.write", "Caption changed", lambda p: (captions.write, {"frame": p.frames[0], "text": "After."})),
    ("captions.write", "Custom caption removed", lambda p: (captions.write, {"frame": p.frames[0], "text": ""})),
    ("captions.write", "Caption added", lambda p: (captions.write, {"frame": p.frames[1], "text": "New."})),
    ("frames.drop", "2 frames dropped", lambda p: (frames.drop, {"frames": p.frames[:2]})),
    ("frames.restore", "1 frame restored", lambda p: (frames.restore, {"frames": p.frames[:1]})),
    ("frames.leave_out", "1 frame excluded from exports",
     lambda p: (frames.leave_out, {"frames": p.frames[:1], "excluded": True})),
]  # fmt: skip


@pytest.fixture()
def place(faces: list[models.Face], clusters: list[models.FaceCluster], alice: User) -> Place:
    return Place(faces, clusters, alice)


def rows_of_all_tables() -> dict[str, Any]:
    return {
        model._meta.label: {
            row.pk: {name: value for name, value in history.snapshot(row).items() if name not in MOVING}
            for row in model._default_manager.all()
        }
        for model in TABLES
    }


@pytest.mark.parametrize(("kind", "summary", "prepared"), ACTIONS, ids=[f"{row[0]}: {row[1]}" for row in ACTIONS])
def test_an_action_is_done_once_per_form_named_in_the_history_and_undone_as_a_whole(
    collection: Collection, bob: User, place: Place, kind: str, summary: str, prepared: Any
) -> None:
    action, values = prepared(place)
    for digit, character in enumerate(models.Character.objects.order_by("pk"), 1):
        models.Character.objects.filter(pk=character.pk).update(key=digit)  # a digit stays, also after an undo
    before = rows_of_all_tables()
    action(collection=collection, by=bob, key="form 1", **values)
    done = Operation.objects.get(by=bob)
    assert (done.kind, done.summary, done.key) == (kind, summary, "form 1")
    after = rows_of_all_tables()
    with pytest.raises(Conflict, match="duplicate request"):
        action(collection=collection, by=bob, key="form 1", **values)
    assert rows_of_all_tables() == after
    if summary.startswith("0 "):
        assert after == before
        return
    assert after != before
    assert history.undo(done, by=bob).skipped == 0
    assert rows_of_all_tables() == before
    for _ in range(2):  # without a form, as often as wanted
        action(collection=collection, by=bob, **values)
        history.undo_last(collection=collection, by=bob)
