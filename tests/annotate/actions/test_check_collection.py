"""The check of a collection finds what is wrong, mends what it can, and says nothing where all is well."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from annotate.actions import boxes, characters, clusters, tags
from annotate.actions import faces as face_actions
from annotate.consistency import check
from annotate.models import Character, CharacterAlias, Face, FaceCluster, NamedBy
from ingest.actions import frames as frame_actions
from ingest.actions import history
from ingest.models import Collection, Frame, Revision
from tests.annotate.views.conftest import Show, make_show

pytestmark = pytest.mark.django_db


@pytest.fixture()
def show(collection: Collection) -> Show:
    return make_show(collection)


@pytest.fixture()
def worked_on(show: Show, alice: User, bob: User) -> Show:
    """A collection with a past: names, a merge, a split, boxes, tags, drops, and some of it undone."""
    common: dict[str, Any] = {"collection": show.collection, "by": bob}
    face_actions.assign(faces=show.faces[:2], character="Zed", **common)
    face_actions.is_not(faces=show.faces[2:3], character=show.hinata, **common)
    characters.merge(character=Character.objects.get(name="Zed"), into=show.hinata, **common)
    clusters.split(cluster=show.clusters[0], faces=[show.faces[0].pk], **common)
    clusters.name(cluster=show.clusters[1], character="Yui", collection=show.collection, by=alice)
    boxes.move(
        face=boxes.draw(frame=show.frames[1], box=(0.5, 0.5, 0.7, 0.8), **common), box=(0.5, 0.5, 0.8, 0.8), **common
    )
    tags.add(frames=show.frames[:2], names=["smile"], **common)
    frame_actions.drop(frames=show.frames[2:4], **common)
    for _ in range(3):
        history.undo_last(collection=show.collection, by=bob)
    return show


def test_a_collection_that_was_worked_on_has_no_fault(worked_on: Show) -> None:
    assert check(worked_on.collection) == []
    out = io.StringIO()
    call_command("check_collection", worked_on.collection.name, stdout=out)
    assert out.getvalue() == "Tiny show: 0 faults\n"


def found(show: Show, *, fix: bool = False) -> list[str]:
    return [f"{fault.check}: {fault.words}" for fault in check(show.collection, fix=fix)]


def test_counters_that_drifted_are_found_and_mended(worked_on: Show) -> None:
    Frame.objects.filter(pk=worked_on.frames[0].pk).update(face_count=7)
    FaceCluster.objects.filter(pk=worked_on.clusters[1].pk).update(size=9)
    expected = ["counts: face_count is 7, not 1", "counts: its size is not 3, the number of its faces"]
    assert found(worked_on) == expected
    assert found(worked_on, fix=True) == expected
    assert found(worked_on) == []


def test_a_word_without_a_name_and_a_ruled_out_ghost_are_mended_in_the_history(worked_on: Show) -> None:
    face = worked_on.faces[5]
    character = face.__class__.objects.get(pk=face.pk).character
    Face.objects.filter(character=character).update(character=None)
    Face.objects.filter(pk=worked_on.faces[2].pk).update(not_characters=[10**9])
    faults = found(worked_on, fix=True)
    assert faults.count("faces: named by a person, but it has no name") == 3
    assert "faces: a deleted character is rejected for it" in faults
    assert Face.objects.get(pk=face.pk).named_by == NamedBy.NONE
    assert Revision.objects.filter(operation__kind="faces.check_mended", object_id=face.pk).exists()


def test_a_persons_word_that_changed_without_a_revision_is_found(worked_on: Show) -> None:
    Face.objects.filter(pk=worked_on.faces[4].pk).update(character=worked_on.hinata)
    (fault,) = check(worked_on.collection)
    assert (fault.check, fault.row) == ("history", f"annotate.Face {worked_on.faces[4].pk}")
    assert "character_id is" in fault.words
    assert "in the last revision" in fault.words


def test_a_revision_that_begins_elsewhere_than_the_last_one_ended_is_found(worked_on: Show, alice: User) -> None:
    revision = Revision.objects.filter(model="annotate.Face", object_id=worked_on.faces[4].pk).last()
    assert revision is not None
    face_actions.nobody(collection=worked_on.collection, faces=[worked_on.faces[4]], by=alice)
    Revision.objects.filter(pk=revision.pk).update(after=revision.after | {"state": "not_a_face"})
    last = Revision.objects.filter(model="annotate.Face", object_id=worked_on.faces[4].pk).latest("pk")
    (fault,) = check(worked_on.collection)
    assert fault.words == f"state was 'not_a_face' but starts as 'face' in revision {last.pk}"


def test_what_a_run_wrote_where_no_person_spoke_is_no_gap(worked_on: Show) -> None:
    Face.objects.filter(pk=worked_on.faces[1].pk, named_by=NamedBy.NONE).update(
        character=worked_on.hinata, named_by=NamedBy.MODEL, confidence=0.5
    )
    assert not [words for words in found(worked_on) if words.startswith("history")]


def test_rows_that_went_without_a_word_names_twice_and_lost_files_are_found(worked_on: Show) -> None:
    CharacterAlias.objects.create(collection=worked_on.collection, character=worked_on.hinata, name="YUI")
    yui = Character.objects.get(name="Yui")
    Character.objects.create(collection=worked_on.collection, name="Yui in red", parent=yui)
    other = Collection.objects.create(name="Other")
    lost = "ab/cd/" + "abcd" + "0" * 60 + ".jpg"
    Face.objects.filter(pk=worked_on.faces[0].pk).update(crop=lost)
    stranger = Character.objects.create(collection=other, name="Stranger")
    Character.objects.filter(pk=worked_on.hinata.pk).update(parent=stranger)
    faults = found(worked_on, fix=True)
    assert "names: 2 characters are called yui" in faults
    assert "keys: its parent is of another collection" in faults
    assert f"files: crop {lost} is missing" in faults
    assert Face.objects.get(pk=worked_on.faces[0].pk).crop == ""


def test_the_command_says_it_all_as_json_and_by_its_exit_code(worked_on: Show) -> None:
    Frame.objects.filter(pk=worked_on.frames[0].pk).update(face_count=7)
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_collection", str(worked_on.collection.pk), "--json", stdout=out)
    body = json.loads(out.getvalue())
    assert (ended.value.code, body["ok"], body["faults"][0]["row"]) == (1, False, f"Frame {worked_on.frames[0].pk}")
    call_command("check_collection", str(worked_on.collection.pk), "--fix", "--json", stdout=io.StringIO())
    assert Frame.objects.get(pk=worked_on.frames[0].pk).face_count == 1
