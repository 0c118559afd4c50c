"""Characters: names, aliases, outfits, merges and splits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import characters as acts
from annotate.actions import faces as face_acts
from annotate.models import Character, CharacterAlias, Face
from ingest.actions import history
from ingest.errors import BadInput, Conflict


@pytest.fixture()
def mio(collection, alice):
    return acts.create(collection=collection, name="Mio", by=alice)


@pytest.fixture()
def yui(collection, alice):
    return acts.create(collection=collection, name="Yui", by=alice)


@pytest.mark.django_db
def test_a_name_is_found_by_alias_and_in_any_case(collection, alice, mio):
    acts.add_alias(collection=collection, character=mio, name="Akiyama  Mio", by=alice)
    assert acts.find(collection=collection, text="akiyama mio") == mio
    assert acts.find(collection=collection, text="MIO") == mio
    assert acts.find(collection=collection, text="nobody") is None
    with pytest.raises(BadInput, match="already"):
        acts.create(collection=collection, name="akiyama mio", by=alice)


@pytest.mark.django_db
def test_a_rename_keeps_the_old_name_as_alias_and_undo_restores_it(collection, alice, mio):
    acts.rename(collection=collection, character=mio, name="Mio Akiyama", by=alice, seen_version=1)
    assert acts.find(collection=collection, text="Mio").name == "Mio Akiyama"
    history.undo_last(collection=collection, by=alice)
    assert Character.objects.get(pk=mio.pk).name == "Mio"
    assert not CharacterAlias.objects.exists()


@pytest.mark.django_db
def test_a_stale_tab_neither_renames_nor_merges(collection, alice, bob, mio, yui):
    acts.rename(collection=collection, character=mio, name="Mio A", by=alice, seen_version=1)
    with pytest.raises(Conflict, match="in the meantime"):
        acts.rename(collection=collection, character=mio, name="Mio B", by=bob, seen_version=1)
    with pytest.raises(Conflict):
        acts.merge(collection=collection, character=mio, into=yui, by=bob, seen_version=1)
    with pytest.raises(BadInput, match="Merge"):
        acts.rename(collection=collection, character=mio, name="yui", by=bob, seen_version=2)


@pytest.mark.django_db
def test_a_merge_moves_everything_and_undo_brings_it_back(collection, alice, faces, mio, yui):
    outfit = acts.create(collection=collection, name="Mio Hairdown", by=alice, parent=mio)
    acts.add_alias(collection=collection, character=mio, name="Akiyama", by=alice)
    face_acts.assign(collection=collection, faces=faces[:2], character=mio, by=alice)
    face_acts.is_not(collection=collection, faces=[faces[3]], character=mio, by=alice)
    preview = acts.merge_preview(character=mio)
    assert (preview.faces, preview.frames, preview.outfits) == (2, 1, 1)
    operation = acts.merge(collection=collection, character=mio, into=yui, by=alice)
    assert operation.summary == "Mio merged into Yui: 2 faces"
    assert Face.objects.filter(character=yui).count() == 2
    assert Face.objects.get(pk=faces[3].pk).not_characters == [yui.pk]
    outfit.refresh_from_db()
    assert outfit.parent == yui
    assert acts.find(collection=collection, text="Akiyama") == yui
    assert acts.find(collection=collection, text="Mio") == yui
    _, skipped, _ = history.undo_last(collection=collection, by=alice)
    assert skipped == 0
    back = Character.objects.get(pk=mio.pk)
    assert Face.objects.filter(character=back).count() == 2
    outfit.refresh_from_db()
    assert (outfit.parent, acts.find(collection=collection, text="Akiyama")) == (back, back)


@pytest.mark.django_db
def test_merging_a_character_into_its_own_outfit_leaves_no_circle(collection, alice, mio):
    outfit = acts.create(collection=collection, name="Mio Hairdown", by=alice, parent=mio)
    acts.merge(collection=collection, character=mio, into=outfit, by=alice)
    outfit.refresh_from_db()
    assert outfit.parent is None


@pytest.mark.django_db
def test_an_outfit_has_no_outfits(collection, alice, mio, yui):
    outfit = acts.create(collection=collection, name="Mio Hairdown", by=alice, parent=mio)
    with pytest.raises(BadInput, match="is an outfit; choose"):
        acts.create(collection=collection, name="x", by=alice, parent=outfit)
    with pytest.raises(BadInput):
        acts.set_parent(collection=collection, character=mio, parent=yui, by=alice)
    acts.set_parent(collection=collection, character=outfit, parent=None, by=alice)
    outfit.refresh_from_db()
    assert outfit.parent is None


@pytest.mark.django_db
def test_a_split_takes_only_faces_of_the_character(collection, alice, faces, mio):
    face_acts.assign(collection=collection, faces=faces[:2], character=mio, by=alice)
    with pytest.raises(Conflict):
        acts.split(collection=collection, character=mio, faces=faces[1:3], name="Mio 2", by=alice)
    fresh = acts.split(
        collection=collection, character=mio, faces=[faces[1]], name="Mio Down", by=alice, as_outfit=True
    )
    assert fresh.parent == mio
    assert Face.objects.get(pk=faces[1].pk).character == fresh


@pytest.mark.parametrize("name", ["", "  ", "a\x00b", "x" * 201, "a\u202eb"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(BadInput):
        acts.clean_name(name)


@given(st.text(max_size=60))
def test_a_cleaned_name_cleans_to_itself(text):
    try:
        name = acts.clean_name(text)
    except BadInput:
        return
    assert acts.clean_name(name) == name
