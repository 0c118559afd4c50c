"""The digits that mean characters while one names faces."""

from __future__ import annotations

import pytest

from annotate.actions import characters
from annotate.actions import clusters as cluster_actions
from annotate.actions import faces as face_actions
from annotate.consistency import check
from annotate.models import Character
from ingest.actions import history
from ingest.errors import BadInput, Stale
from ingest.models import Collection, Operation

pytestmark = pytest.mark.django_db


def keys_of(collection):
    return dict(Character.objects.filter(collection=collection).values_list("name", "key"))


def test_a_key_comes_with_the_first_name_and_stays_whoever_is_named_more(collection, bob, faces, clusters):
    face_actions.assign(collection=collection, faces=faces[:1], character="Aoi", by=bob)
    face_actions.assign(collection=collection, faces=faces[1:], character="Mio", by=bob)
    face_actions.assign(collection=collection, faces=faces[:2], character="Mio", by=bob)
    assert keys_of(collection) == {"Aoi": 1, "Mio": 2}


def test_a_character_without_a_key_gets_the_lowest_free_one_when_it_is_used(collection, bob, faces, clusters):
    characters.create(collection=collection, name="Yui", by=bob)
    assert keys_of(collection) == {"Yui": None}
    Character.objects.create(collection=collection, name="Aoi", key=1)
    cluster_actions.name(collection=collection, cluster=clusters[0], character="yui", by=bob)
    assert keys_of(collection) == {"Yui": 2, "Aoi": 1}
    history.undo_last(collection=collection, by=bob)
    assert keys_of(collection) == {"Yui": 2, "Aoi": 1}  # nobody's digit comes to mean somebody else
    assert not list(check(collection))


def test_the_tenth_character_has_no_key_until_one_is_free(collection, bob, faces):
    names = [f"C{n}" for n in range(10)]
    for name in names:
        Character.objects.create(collection=collection, name=name)
    for name in names:
        face_actions.assign(collection=collection, faces=faces[:1], character=name, by=bob)
    assert keys_of(collection) == {f"C{n}": n + 1 if n < 9 else None for n in range(10)}
    characters.merge(
        collection=collection,
        character=Character.objects.get(name="C3"),
        into=Character.objects.get(name="C4"),
        by=bob,
    )
    face_actions.assign(collection=collection, faces=faces[1:2], character="C9", by=bob)
    assert (keys_of(collection)["C4"], keys_of(collection)["C9"]) == (5, 4)
    undone = [history.undo_last(collection=collection, by=bob) for _ in range(2)]
    assert undone[1].operation.summary.startswith("Undone: C3 merged")
    assert (keys_of(collection)["C3"], keys_of(collection)["C9"]) == (None, 4)  # taken meanwhile


def test_a_merged_character_comes_back_with_its_key_where_that_is_free(collection, bob):
    aoi, mio = (Character.objects.create(collection=collection, name=name) for name in ("Aoi", "Mio"))
    characters.set_key(collection=collection, character=aoi, digit=7, by=bob)
    characters.merge(collection=collection, character=aoi, into=mio, by=bob)
    assert keys_of(collection) == {"Mio": None}
    history.undo_last(collection=collection, by=bob)
    assert keys_of(collection) == {"Aoi": 7, "Mio": None}


def test_a_new_name_that_is_undone_frees_its_key(collection, bob, faces):
    face_actions.assign(collection=collection, faces=faces[:1], character="Aoi", by=bob)
    characters.set_key(collection=collection, character=Character.objects.get(), digit=5, by=bob)
    history.undo(Operation.objects.get(kind="faces.name"), by=bob)
    assert keys_of(collection) == {}


def test_setting_a_key_exchanges_it_and_one_undo_takes_that_back(collection, bob):
    aoi, mio = (
        Character.objects.create(collection=collection, name=name, key=key) for name, key in (("Aoi", 1), ("Mio", 2))
    )
    done = characters.set_key(collection=collection, character=aoi, digit=2, by=bob, seen="1")
    assert done.summary == "Aoi has key 2, Mio has key 1"
    assert keys_of(collection) == {"Aoi": 2, "Mio": 1}
    history.undo_last(collection=collection, by=bob)
    assert keys_of(collection) == {"Aoi": 1, "Mio": 2}
    characters.set_key(collection=collection, character=mio, digit=None, by=bob)
    assert keys_of(collection) == {"Aoi": 1, "Mio": None}
    assert not list(check(collection))


def test_a_stale_form_changes_no_key(collection, bob):
    aoi = Character.objects.create(collection=collection, name="Aoi", key=3)
    with pytest.raises(Stale):
        characters.set_key(collection=collection, character=aoi, digit=4, by=bob, seen="1")
    assert keys_of(collection) == {"Aoi": 3}


@pytest.mark.parametrize("digit", [0, 10, -1])
def test_a_key_is_a_digit_from_1_to_9(collection, bob, digit):
    aoi = Character.objects.create(collection=collection, name="Aoi")
    with pytest.raises(BadInput, match="1 to 9"):
        characters.set_key(collection=collection, character=aoi, digit=digit, by=bob)


def test_two_collections_have_keys_of_their_own(collection, bob, faces):
    other = Collection.objects.create(name="Other")
    Character.objects.create(collection=other, name="Aoi", key=1)
    face_actions.assign(collection=collection, faces=faces[:1], character="Aoi", by=bob)
    assert keys_of(collection) == {"Aoi": 1}
