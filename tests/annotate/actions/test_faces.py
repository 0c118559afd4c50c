"""A person's word on faces and boxes."""

from __future__ import annotations

import pytest

from annotate.actions import boxes, characters
from annotate.actions import faces as acts
from annotate.models import Face, FaceState, NamedBy
from ingest.actions import history
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection, Operation, Revision

pytestmark = pytest.mark.django_db


@pytest.fixture()
def mio(collection, alice):
    return characters.create(collection=collection, name="Mio", by=alice)


@pytest.fixture()
def yui(collection, alice):
    return characters.create(collection=collection, name="Yui", by=alice)


def test_a_name_by_a_person_is_sure_and_says_who_gave_it(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=faces[:2], character=mio, by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character, face.named_by, face.named_user, face.confidence) == (mio, NamedBy.PERSON, bob, 1.0)
    assert face.version == 2
    assert Face.objects.get(pk=faces[2].pk).character is None


def test_a_name_is_one_operation_that_can_be_undone(collection, bob, faces, mio):
    operation = acts.assign(collection=collection, faces=faces[:3], character=mio, by=bob)
    assert operation.summary == "3 faces named Mio"
    assert Revision.objects.filter(operation=operation).count() == 3
    history.undo_last(collection=collection, by=bob)
    assert not Face.objects.filter(character=mio).exists()
    assert Face.objects.get(pk=faces[0].pk).named_by == NamedBy.NONE


def test_the_second_of_two_different_answers_sees_a_conflict(collection, alice, bob, faces, mio, yui):
    seen = {faces[0].pk: faces[0].version}
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=alice, seen=seen)
    with pytest.raises(Conflict, match="alice answered “Mio”"):
        acts.assign(collection=collection, faces=[faces[0]], character=yui, by=bob, seen=seen)
    assert Face.objects.get(pk=faces[0].pk).character == mio
    assert not Operation.objects.filter(by=bob).exists()


def test_the_same_answer_twice_is_no_conflict(collection, alice, bob, faces, mio):
    seen = {faces[0].pk: faces[0].version}
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=alice, seen=seen)
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob, seen=seen)
    assert Face.objects.get(pk=faces[0].pk).named_user == alice


def test_a_double_submit_writes_once(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob, key="k1")
    with pytest.raises(Conflict, match="duplicate request"):
        acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob, key="k1")


def test_undo_leaves_alone_what_another_person_changed_since(collection, alice, bob, faces, mio, yui):
    acts.assign(collection=collection, faces=faces[:2], character=mio, by=bob)
    acts.assign(collection=collection, faces=[faces[0]], character=yui, by=alice)
    _, skipped, _ = history.undo_last(collection=collection, by=bob)
    assert skipped == 1
    assert Face.objects.get(pk=faces[0].pk).character == yui
    assert Face.objects.get(pk=faces[1].pk).character is None


def test_not_a_face_stays_as_a_row_and_leaves_the_frame_count(collection, bob, faces, frames):
    acts.not_a_face(collection=collection, faces=[faces[0]], by=bob)
    frames[0].refresh_from_db()
    assert Face.objects.get(pk=faces[0].pk).state == FaceState.NOT_A_FACE
    assert frames[0].face_count == 1
    history.undo_last(collection=collection, by=bob)
    frames[0].refresh_from_db()
    assert frames[0].face_count == 2


def test_nobody_still_counts_as_a_face(collection, bob, faces, frames):
    acts.nobody(collection=collection, faces=[faces[0]], by=bob)
    frames[0].refresh_from_db()
    assert Face.objects.get(pk=faces[0].pk).named_by == NamedBy.PERSON
    assert frames[0].face_count == 2


def test_a_cleared_name_is_ruled_out_for_the_face(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob)
    acts.unname(collection=collection, faces=[faces[0]], by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character, face.not_characters, face.named_by) == (None, [mio.pk], NamedBy.NONE)
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob)
    assert Face.objects.get(pk=faces[0].pk).not_characters == []


def test_a_models_name_can_be_confirmed_or_denied(collection, bob, faces, mio):
    Face.objects.filter(pk__in=[faces[0].pk, faces[1].pk]).update(character=mio, named_by="model", confidence=0.7)
    acts.confirm(collection=collection, faces=[faces[0]], by=bob)
    acts.is_not(collection=collection, faces=[faces[1]], character=mio, by=bob)
    assert Face.objects.get(pk=faces[0].pk).named_by == NamedBy.PERSON
    denied = Face.objects.get(pk=faces[1].pk)
    assert (denied.character, denied.not_characters) == (None, [mio.pk])
    with pytest.raises(BadInput, match="no name to confirm"):
        acts.confirm(collection=collection, faces=[faces[2]], by=bob)


def test_only_a_named_face_can_be_a_reference(collection, bob, faces, mio):
    with pytest.raises(BadInput, match="Name a face"):
        acts.set_reference(collection=collection, faces=[faces[0]], is_reference=True, by=bob)
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob)
    acts.set_reference(collection=collection, faces=[faces[0]], is_reference=True, by=bob)
    assert Face.objects.get(pk=faces[0].pk).is_reference


def test_a_face_of_another_collection_is_refused(bob, faces, mio, alice):
    from ingest.models import Collection

    other = Collection.objects.create(name="Other")
    foreign = characters.create(collection=other, name="Mio", by=alice)
    with pytest.raises(Conflict):
        acts.assign(collection=other, faces=faces[:1], character=foreign, by=bob)


def test_a_drawn_box_counts_and_undo_takes_it_away(collection, bob, frames, faces, mio):
    face = boxes.draw(collection=collection, frame=frames[0], box=(0.4, 0.4, 0.6, 0.7), by=bob, character=mio)
    frames[0].refresh_from_db()
    assert (face.box_by_person, face.character, frames[0].face_count) == (True, mio, 2 + 1)
    history.undo_last(collection=collection, by=bob)
    frames[0].refresh_from_db()
    assert not Face.objects.filter(pk=face.pk).exists()
    assert frames[0].face_count == 2


def test_moving_a_box_keeps_the_name_and_asks_for_a_new_description(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=[faces[0]], character=mio, by=bob)
    moved = boxes.move(collection=collection, face=faces[0], box=(0.2, 0.2, 0.5, 0.6), by=bob, seen_version=2)
    assert (moved.character, moved.embedding, moved.box_by_person) == (mio, None, True)
    history.undo_last(collection=collection, by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.left, bytes(face.embedding)) == (0.1, b"\x01\x02")


def test_a_stale_move_is_refused(collection, alice, bob, faces):
    boxes.move(collection=collection, face=faces[0], box=(0.2, 0.2, 0.5, 0.6), by=alice, seen_version=1)
    with pytest.raises(Conflict, match="changed this face"):
        boxes.move(collection=collection, face=faces[0], box=(0.3, 0.2, 0.5, 0.6), by=bob, seen_version=1)


@pytest.mark.parametrize("box", [(0.5, 0.1, 0.4, 0.3), (0, 0, float("nan"), 1), (0.1, 0.1, 0.1, 0.5), (0.1, 0.2, 0.3)])
def test_a_box_that_is_none_is_refused(collection, bob, frames, box):
    with pytest.raises(BadInput):
        boxes.draw(collection=collection, frame=frames[0], box=box, by=bob)


def test_a_deleted_box_of_a_model_stays_as_no_face_and_a_drawn_one_goes(collection, bob, frames, faces):
    boxes.delete(collection=collection, face=faces[0], by=bob)
    assert Face.objects.get(pk=faces[0].pk).state == FaceState.NOT_A_FACE
    drawn = boxes.draw(collection=collection, frame=frames[0], box=(0.4, 0.4, 0.6, 0.7), by=bob)
    boxes.delete(collection=collection, face=drawn.pk, by=bob)
    assert not Face.objects.filter(pk=drawn.pk).exists()
    history.undo_last(collection=collection, by=bob)
    assert Face.objects.filter(pk=drawn.pk).exists()


def test_faces_that_are_gone_or_of_another_collection_are_refused_and_none_is_named(collection, bob, faces, mio):
    other = Collection.objects.create(name="Other")
    with pytest.raises(Conflict, match="2 of these faces no longer exist"):
        acts.nobody(collection=other, faces=faces[:2], by=bob)
    faces[1].delete()
    with pytest.raises(Conflict, match="1 of these faces no longer exist"):
        acts.assign(collection=collection, faces=[faces[0].pk, 2**40], character=mio, by=bob)
    with pytest.raises(BadInput, match="at least one face"):
        acts.assign(collection=collection, faces=[], character=mio, by=bob)
    assert not Face.objects.filter(character=mio).exists()


def test_a_stale_form_shows_the_answers_of_others_and_says_what_it_would_send(collection, alice, bob, faces, mio, yui):
    seen = {face.pk: face.version for face in faces[:3]}
    acts.assign(collection=collection, faces=faces[:1], character=mio, by=alice)
    acts.nobody(collection=collection, faces=faces[1:2], by=bob)
    with pytest.raises(Stale) as caught:
        acts.assign(collection=collection, faces=faces[:3], character=yui, by=bob, seen=seen)
    stale = caught.value
    assert "alice, bob answered “other names” for 2 of these 3 faces" in stale.message
    assert sorted(stale.stored) == [("1 face", "Mio"), ("1 face", FaceState.NOBODY.label)]
    assert list(stale.sent) == [("3 faces", "Yui")]
    rows = Face.objects.filter(pk__in=seen).order_by("pk")
    assert stale.resend["face"] == [f"{face.pk}:{face.version}" for face in rows]
    acts.assign(collection=collection, faces=faces[2:3], character=yui, by=bob, seen={faces[2].pk: 1})


def test_what_a_model_said_meanwhile_makes_no_form_stale(collection, bob, faces, mio, yui):
    seen = {faces[0].pk: faces[0].version}
    Face.objects.filter(pk=faces[0].pk).update(character=mio, named_by=NamedBy.MODEL, version=2)
    acts.assign(collection=collection, faces=faces[:1], character=yui, by=bob, seen=seen)
    assert Face.objects.get(pk=faces[0].pk).character == yui


def test_who_is_said_not_to_be_a_character_keeps_another_name(collection, bob, faces, mio, yui):
    acts.assign(collection=collection, faces=faces[:1], character=yui, by=bob)
    for _ in range(2):
        acts.is_not(collection=collection, faces=faces[:1], character=mio, by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character, face.not_characters, face.version) == (yui, [mio.pk], 3)


def test_a_face_that_is_unnamed_or_ruled_out_is_no_reference_any_more(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=faces[:2], character=mio, by=bob)
    acts.set_reference(collection=collection, faces=faces[:2], is_reference=True, by=bob)
    acts.unname(collection=collection, faces=faces[:1], by=bob)
    acts.is_not(collection=collection, faces=faces[1:2], character=mio, by=bob)
    assert not Face.objects.filter(is_reference=True).exists()


def test_two_people_who_confirm_the_same_name_agree(collection, alice, bob, faces, mio):
    Face.objects.filter(pk=faces[0].pk).update(character=mio, named_by=NamedBy.MODEL, confidence=0.7)
    for person in (alice, bob):
        acts.confirm(collection=collection, faces=faces[:1], by=person, seen={faces[0].pk: 1})
    assert Face.objects.get(pk=faces[0].pk).named_user == alice


def test_an_answer_without_a_name_takes_name_and_reference_away(collection, bob, faces, mio):
    acts.assign(collection=collection, faces=faces[:1], character=mio, by=bob)
    acts.set_reference(collection=collection, faces=faces[:1], is_reference=True, by=bob)
    operation = acts.nobody(collection=collection, faces=faces[:1], by=bob)
    face = Face.objects.get(pk=faces[0].pk)
    assert (face.character, face.confidence, face.is_reference, face.named_user) == (None, None, False, bob)
    assert operation.summary == "1 face marked as not in the cast"
    history.undo_last(collection=collection, by=bob)
    face.refresh_from_db()
    assert (face.character, face.confidence, face.is_reference) == (mio, 1.0, True)
