"""Characters: names, aliases, outfits, merges and splits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import characters as acts
from annotate.actions import faces as face_acts
from annotate.models import Character, CharacterAlias, Face, FaceCluster, FrameCharacter
from ingest.actions import history
from ingest.errors import BadInput, Conflict, Stale
from ingest.models import Collection


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


@pytest.mark.parametrize(
    "name", ["", "  ", "a\x00b", "x" * 201, "a\u202eb", "\u200b", "\ufeff \u200d", "\u3164", "\u0301"]
)
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(BadInput):
        acts.clean_name(name)


def test_what_nobody_sees_makes_no_second_name():
    assert acts.clean_name("\ufeffAn\u200bna\u00ad\u200e") == "Anna"
    assert (
        acts.clean_name("\u0646\u200c\u0645 \U0001f469\u200d\U0001f680")
        == "\u0646\u200c\u0645 \U0001f469\u200d\U0001f680"
    )


@given(st.text(max_size=60))
def test_a_cleaned_name_cleans_to_itself(text):
    try:
        name = acts.clean_name(text)
    except BadInput:
        return
    assert acts.clean_name(name) == name


@pytest.mark.django_db
def test_a_character_is_found_or_made_and_never_twice(collection, alice, mio):
    acts.add_alias(collection=collection, character=mio, name="Akiyama", by=alice)
    assert acts.find_or_create(collection=collection, name="akiyama", by=alice) == mio
    made = acts.find_or_create(collection=collection, name=" Yui  Hirasawa ", by=alice)
    assert (made.name, made.parent) == ("Yui Hirasawa", None)
    assert Character.objects.count() == 2


@pytest.mark.django_db
def test_a_rename_to_its_own_alias_swaps_the_two_and_undo_swaps_them_back(collection, alice, mio):
    acts.add_alias(collection=collection, character=mio, name="Akiyama", by=alice)
    acts.rename(collection=collection, character=mio, name="Akiyama", by=alice)
    assert Character.objects.get(pk=mio.pk).name == "Akiyama"
    assert list(CharacterAlias.objects.values_list("name", flat=True)) == ["Mio"]
    assert history.undo_last(collection=collection, by=alice).words == "Undone: Mio renamed Akiyama"
    assert Character.objects.get(pk=mio.pk).name == "Mio"
    assert list(CharacterAlias.objects.values_list("name", flat=True)) == ["Akiyama"]


@pytest.mark.django_db
def test_the_case_of_a_name_can_be_changed_and_the_same_name_leaves_no_alias(collection, alice, mio):
    assert acts.rename(collection=collection, character=mio, name="MIO", by=alice).version == 2
    acts.rename(collection=collection, character=mio, name="MIO", by=alice)
    assert list(CharacterAlias.objects.values_list("name", flat=True)) == ["Mio"]


@pytest.mark.django_db
def test_an_alias_is_removed_once_and_only_in_its_collection(collection, alice, mio):
    acts.add_alias(collection=collection, character=mio, name="Akiyama", by=alice)
    alias = CharacterAlias.objects.get()
    with pytest.raises(Conflict, match="already removed"):
        acts.remove_alias(collection=Collection.objects.create(name="Other"), alias=alias, by=alice)
    assert acts.remove_alias(collection=collection, alias=alias.pk, by=alice).summary == "Alias Akiyama removed"
    with pytest.raises(Conflict, match="already removed"):
        acts.remove_alias(collection=collection, alias=alias.pk, by=alice)


@pytest.mark.django_db
def test_a_character_cannot_be_merged_with_itself_or_become_its_own_outfit(collection, alice, mio):
    with pytest.raises(BadInput, match="itself"):
        acts.merge(collection=collection, character=mio, into=mio.pk, by=alice)
    with pytest.raises(BadInput):
        acts.set_parent(collection=collection, character=mio, parent=mio, by=alice)
    assert Character.objects.get() == mio


@pytest.mark.django_db
def test_an_outfit_counts_as_a_change_that_other_tabs_see(collection, alice, bob, mio, yui):
    acts.set_parent(collection=collection, character=mio, parent=yui, by=alice, seen_version=1)
    with pytest.raises(Conflict, match="alice changed Mio in the meantime"):
        acts.set_parent(collection=collection, character=mio, parent=None, by=bob, seen_version=1)
    acts.set_parent(collection=collection, character=mio, parent=yui, by=bob, seen_version=1)  # the same answer
    assert Character.objects.get(pk=mio.pk).parent == yui


@pytest.mark.django_db
def test_of_two_words_on_one_frame_a_merge_keeps_the_stronger(collection, alice, frames, mio, yui):
    rows = [(frames[0], mio, "file"), (frames[0], yui, "tagger"), (frames[1], mio, "tagger"), (frames[1], yui, "file"),
            (frames[2], mio, "tagger")]  # fmt: skip
    for frame, who, origin in rows:
        FrameCharacter.objects.create(frame=frame, character=who, origin=origin)
    acts.merge(collection=collection, character=mio, into=yui, by=alice)
    after = FrameCharacter.objects.order_by("frame_id").values_list("frame_id", "character_id", "origin")
    assert list(after) == [(frame.pk, yui.pk, origin) for frame, origin in zip(frames, ("file", "file", "tagger"))]
    assert history.undo_last(collection=collection, by=alice).skipped == 0
    before = FrameCharacter.objects.values_list("frame_id", "character_id", "origin")
    assert set(before) == {(frame.pk, who.pk, origin) for frame, who, origin in rows}


@pytest.mark.django_db
def test_a_merge_moves_reference_pictures_and_guesses_and_no_picture_twice(collection, alice, clusters, mio, yui):
    for who, letters in ((mio, "ab"), (yui, "bc")):
        for letter in letters:
            who.reference_pictures.create(collection=collection, sha256=letter * 64, crop="x")
    FaceCluster.objects.filter(pk=clusters[0].pk).update(guess=mio, guess_score=0.9)
    assert acts.merge_preview(character=mio).references == 2
    acts.merge(collection=collection, character=mio, into=yui, by=alice)
    assert sorted(row.sha256[0] for row in yui.reference_pictures.all()) == ["a", "b", "c"]
    assert FaceCluster.objects.get(pk=clusters[0].pk).guess == yui
    assert history.undo_last(collection=collection, by=alice).skipped == 0
    assert sorted(row.sha256[0] for row in Character.objects.get(pk=mio.pk).reference_pictures.all()) == ["a", "b"]


@pytest.mark.django_db
def test_a_merged_character_is_ruled_out_once_and_never_for_a_face_that_has_its_name(
    collection, alice, faces, mio, yui
):
    for who in (mio, yui):
        face_acts.is_not(collection=collection, faces=[faces[0]], character=who, by=alice)
    face_acts.is_not(collection=collection, faces=[faces[1]], character=mio, by=alice)
    face_acts.assign(collection=collection, faces=[faces[1]], character=yui, by=alice)
    face_acts.is_not(collection=collection, faces=[faces[2]], character=yui, by=alice)
    face_acts.assign(collection=collection, faces=[faces[2]], character=mio, by=alice)
    acts.merge(collection=collection, character=mio, into=yui, by=alice)
    after = [(face.character, face.not_characters) for face in Face.objects.filter(pk__in=[f.pk for f in faces[:3]])]
    assert after == [(None, [yui.pk]), (yui, []), (yui, [])]


@pytest.mark.django_db
def test_a_split_makes_a_separate_character_or_an_outfit_of_the_one_above(collection, alice, faces, mio):
    outfit = acts.create(collection=collection, name="Mio Hairdown", by=alice, parent=mio)
    face_acts.assign(collection=collection, faces=faces[:3], character=outfit, by=alice)
    alone = acts.split(collection=collection, character=outfit, faces=[faces[0]], name="Ritsu", by=alice)
    below = acts.split(
        collection=collection, character=outfit, faces=[faces[1]], name="Mio Up", by=alice, as_outfit=True
    )
    assert (alone.parent, below.parent) == (None, mio)
    with pytest.raises(BadInput, match="already"):
        acts.split(collection=collection, character=outfit, faces=[faces[2]], name="mio", by=alice)
    undone = history.undo_last(collection=collection, by=alice)
    assert undone.words == "Undone: 1 face of Mio Hairdown are Mio Up"
    assert Face.objects.get(pk=faces[1].pk).character == outfit


def test_a_name_has_at_most_two_hundred_characters_and_single_spaces():
    assert acts.clean_name("x" * 200) == "x" * 200
    assert acts.clean_name("  Mio \n Akiyama\u3000") == "Mio Akiyama"


@pytest.mark.django_db
def test_only_the_alias_meant_goes_and_never_one_of_another_collection(collection, alice, mio):
    other = Collection.objects.create(name="Other")
    namesake = acts.create(collection=other, name="Mio", by=alice)
    for where, who in ((other, namesake), (collection, mio)):
        for name in ("Akiyama", "Mi-chan"):
            acts.add_alias(collection=where, character=who, name=name, by=alice)
    acts.rename(collection=collection, character=mio, name="Akiyama", by=alice)
    acts.remove_alias(collection=collection, alias=mio.aliases.get(name="Mi-chan"), by=alice)
    assert sorted(row.name for row in mio.aliases.all()) == ["Mio"]
    assert sorted(row.name for row in namesake.aliases.all()) == ["Akiyama", "Mi-chan"]


@pytest.mark.django_db
def test_a_stale_form_of_a_character_shows_what_others_stored_and_can_be_sent_again(collection, alice, bob, mio, yui):
    acts.rename(collection=collection, character=mio, name="Mio A", by=alice, seen_version=1)
    with pytest.raises(Stale) as caught:
        acts.rename(collection=collection, character=mio, name="Mio B", by=bob, seen_version=1)
    assert (list(caught.value.stored), list(caught.value.sent)) == ([("name", "Mio A")], [("name", "Mio B")])
    version = int(caught.value.resend["version"][0])
    assert acts.rename(collection=collection, character=mio, name="Mio B", by=bob, seen_version=version).version == 3
    with pytest.raises(Stale) as caught:
        acts.set_parent(collection=collection, character=mio, parent=yui, by=alice, seen_version=2)
    assert list(caught.value.stored) == [("outfit of", acts.ALONE)]
    acts.set_parent(collection=collection, character=mio, parent=yui, by=alice, seen_version=3)
    assert Character.objects.get(pk=mio.pk).version == 4


@pytest.mark.django_db
def test_a_split_is_refused_where_somebody_else_named_a_face_meanwhile(collection, alice, bob, faces, mio):
    seen = {faces[0].pk: faces[0].version}
    face_acts.assign(collection=collection, faces=faces[:1], character=mio, by=alice)
    with pytest.raises(Stale, match="alice answered “Mio” for this face"):
        acts.split(collection=collection, character=mio, faces=faces[:1], name="Mia", by=bob, seen=seen)
    assert not Character.objects.filter(name="Mia").exists()


@pytest.mark.django_db
def test_the_history_of_each_frame_holds_the_merge_of_who_is_on_it(collection, alice, frames, mio, yui):
    for frame, who, origin in ((frames[0], mio, "file"), (frames[0], yui, "tagger"), (frames[1], mio, "tagger"),
                               (frames[1], yui, "file"), (frames[2], mio, "file")):  # fmt: skip
        FrameCharacter.objects.create(frame=frame, character=who, origin=origin)
    operation = acts.merge(collection=collection, character=mio, into=yui, by=alice)
    changed = operation.revisions.filter(model="annotate.FrameCharacter").values_list("frame_id", flat=True)
    assert sorted(changed) == [frames[0].pk, frames[0].pk, frames[1].pk, frames[2].pk]
