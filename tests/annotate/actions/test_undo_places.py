"""Undo stays with what the page is about where it was pressed."""

from __future__ import annotations

import pytest

from annotate.actions import characters, tags
from annotate.actions import clusters as cluster_actions
from annotate.actions import faces as face_actions
from annotate.models import Character, Face
from ingest.actions import frames as frame_actions
from ingest.actions import history
from ingest.errors import BadInput, KomaError

pytestmark = pytest.mark.django_db


def undo_at(place, collection, by):
    return history.undo_last(collection=collection, by=by, place=place).operation.summary


@pytest.fixture(name="rows")
def named_rows(collection, bob, faces, clusters, frames):
    """One change of each kind, the newest of which belongs to no naming."""
    common = {"collection": collection, "by": bob}
    mio = characters.create(name="Mio", **common)
    yui = characters.create(name="Yui", **common)
    cluster_actions.name(cluster=clusters[0], character="Mio", **common)
    face_actions.assign(faces=[faces[1]], character="Yui", **common)
    characters.add_alias(character=mio, name="Mio-chan", **common)
    tags.add(frames=[frames[0]], names=["smile"], **common)
    return {"mio": mio, "yui": yui, "frame": frames[0], "other": frames[2]}


def test_the_faces_page_takes_back_namings_alone(rows, collection, bob):
    assert undo_at("faces", collection, bob) == "Undone: 1 face named Yui"
    assert undo_at("faces", collection, bob) == "Undone: 3 faces named Mio"
    with pytest.raises(KomaError, match="on this page"):
        undo_at("faces", collection, bob)
    assert not Face.objects.filter(character__isnull=False).exists()
    assert Character.objects.count() == 2
    assert history.undo_last(collection=collection, by=bob).operation.summary == "Undone: Tags +smile"


def test_the_lists_of_frames_tags_and_captions_take_back_what_is_done_there(rows, collection, bob):
    frame_actions.drop(collection=collection, frames=[rows["frame"]], by=bob)
    characters.create(name="Rin", collection=collection, by=bob)
    assert "dropped" in undo_at("frames", collection, bob)
    assert undo_at("frames", collection, bob) == "Undone: Tags +smile"
    for place in ("frames", "tags", "captions"):
        with pytest.raises(KomaError, match="on this page"):
            undo_at(place, collection, bob)


def test_a_frames_page_takes_back_what_was_done_to_the_frame(rows, collection, bob):
    place = f"frame:{rows['frame'].pk}"
    assert "smile" in undo_at(place, collection, bob)
    assert undo_at(place, collection, bob) == "Undone: 1 face named Yui"
    assert undo_at(place, collection, bob) == "Undone: 3 faces named Mio"  # one of them is on it
    with pytest.raises(KomaError, match="on this page"):
        undo_at(place, collection, bob)


def test_another_frames_change_is_not_taken_back(rows, collection, bob):
    assert undo_at(f"frame:{rows['other'].pk}", collection, bob) == "Undone: 3 faces named Mio"


def test_a_characters_page_takes_back_what_is_about_the_character(rows, collection, bob):
    place = f"character:{rows['mio'].pk}"
    assert undo_at(place, collection, bob) == "Undone: Mio is also called Mio-chan"
    assert undo_at(place, collection, bob) == "Undone: 3 faces named Mio"
    assert undo_at(place, collection, bob) == "Undone: Character Mio created"
    assert undo_at(f"character:{rows['yui'].pk}", collection, bob) == "Undone: 1 face named Yui"


def test_a_first_naming_is_one_step_on_its_page(collection, bob, clusters, faces):
    cluster_actions.name(collection=collection, cluster=clusters[0], character="New", by=bob)
    undo_at("faces", collection, bob)
    assert not Character.objects.exists()
    assert not Face.objects.filter(character__isnull=False).exists()


@pytest.mark.parametrize(
    "place", ["episodes", "frame:", "frame:x", "frame:-1", "faces:1:2", "' or 1=1", "frame:" + "9" * 30]
)
def test_a_page_that_is_none_is_refused(place, collection, bob):
    with pytest.raises(BadInput):
        undo_at(place, collection, bob)
