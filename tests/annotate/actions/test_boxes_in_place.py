"""A frame has one box in a place, whoever draws, moves or takes back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from annotate.actions import boxes
from annotate.actions import faces as face_actions
from annotate.consistency import check
from annotate.models import Character, Face, FaceState
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Frame, Operation

pytestmark = pytest.mark.django_db
PLACE, ELSEWHERE = (0.1, 0.1, 0.3, 0.4), (0.5, 0.1, 0.7, 0.4)


def test_a_box_is_drawn_once_in_a_place(collection: Collection, bob: User, frames: list[Frame]) -> None:
    boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    with pytest.raises(BadInput, match=r"There is already a box here\."):
        boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    boxes.draw(collection=collection, frame=frames[1], box=PLACE, by=bob)
    other = boxes.draw(collection=collection, frame=frames[0], box=ELSEWHERE, by=bob)
    with pytest.raises(BadInput, match=r"There is already a box here\."):
        boxes.move(collection=collection, face=other, box=PLACE, by=bob)
    boxes.move(collection=collection, face=other, box=ELSEWHERE, by=bob)  # where it is
    assert Face.objects.count() == 3
    assert not [fault for fault in check(collection) if fault.check == "faces"]


def test_a_box_that_is_no_face_is_in_nobodys_way(collection: Collection, bob: User, frames: list[Frame]) -> None:
    no_face = boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    Face.objects.filter(pk=no_face.pk).update(state=FaceState.NOT_A_FACE)
    boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    assert not [fault for fault in check(collection) if fault.check == "faces"]


def test_the_undo_of_a_deletion_adds_no_second_box(collection: Collection, bob: User, frames: list[Frame]) -> None:
    first = boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    deleted = boxes.delete(collection=collection, face=first, by=bob)
    again = boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    with pytest.raises(Conflict, match="there is already a box in its place"):
        history.undo(deleted, by=bob)
    assert list(Face.objects.values_list("pk", flat=True)) == [again.pk]
    assert not [fault for fault in check(collection) if fault.check == "faces"]
    boxes.delete(collection=collection, face=again, by=bob)
    history.undo(deleted, by=bob)
    assert Face.objects.get().pk == first.pk


def test_the_undo_of_a_move_adds_no_second_box(collection: Collection, bob: User, frames: list[Frame]) -> None:
    first = boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    boxes.move(collection=collection, face=first, box=ELSEWHERE, by=bob)
    moved = Operation.objects.get(kind="faces.move")
    boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    with pytest.raises(Conflict, match="there is already a box in its place"):
        history.undo(moved, by=bob)
    first.refresh_from_db()
    assert (first.left, first.right) == (ELSEWHERE[0], ELSEWHERE[2])
    assert not [fault for fault in check(collection) if fault.check == "faces"]


def test_a_name_can_be_taken_back_where_older_versions_left_two_boxes(
    collection: Collection, bob: User, frames: list[Frame]
) -> None:
    first = boxes.draw(collection=collection, frame=frames[0], box=PLACE, by=bob)
    Face.objects.create(
        collection=collection, frame=frames[0], left=PLACE[0], top=PLACE[1], right=PLACE[2], bottom=PLACE[3]
    )
    person = Character.objects.create(collection=collection, name="Zed")
    named = face_actions.assign(collection=collection, faces=[first.pk], character=person, by=bob)
    history.undo(named, by=bob)
    first.refresh_from_db()
    assert first.character is None
