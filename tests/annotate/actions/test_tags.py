"""Tags by people: three-way merge, aliases, undo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import batches
from annotate.actions import tags as acts
from annotate.models import FrameTag, ModelVersion, Tag, TagAlias, TagState
from ingest.actions import history
from ingest.errors import BadInput, Conflict
from ingest.models import Collection, Episode, Frame, Source


def said(frame):
    rows = FrameTag.objects.filter(frame=frame).order_by("tag__name")
    return {row.tag.name: row.state for row in rows.select_related("tag")}


@pytest.mark.django_db
def test_two_people_who_add_different_tags_keep_both(collection, alice, bob, frames):
    seen = ["solo"]
    acts.add(collection=collection, frames=[frames[0]], names=seen, by=alice)
    acts.edit(collection=collection, frame=frames[0], seen=seen, new=["solo", "smile"], by=alice)
    acts.edit(collection=collection, frame=frames[0], seen=seen, new=["solo", "hat"], by=bob)
    assert said(frames[0]) == {"solo": "yes", "smile": "yes", "hat": "yes"}


@pytest.mark.django_db
def test_only_what_the_person_changed_is_applied(collection, alice, bob, frames):
    acts.add(collection=collection, frames=[frames[0]], names=["a", "b"], by=alice)
    acts.edit(collection=collection, frame=frames[0], seen=["a", "b"], new=["a"], by=alice)
    acts.edit(collection=collection, frame=frames[0], seen=["a", "b"], new=["a", "b", "c"], by=bob)
    assert said(frames[0]) == {"a": "yes", "b": "no", "c": "yes"}


@pytest.mark.django_db
def test_a_models_tag_becomes_the_persons_word_and_undo_gives_it_back(collection, bob, frames):
    model = ModelVersion.objects.create(task="tags", name="m")
    tag = Tag.objects.create(name="smile")
    FrameTag.objects.create(frame=frames[0], tag=tag, score=0.6, model_version=model)
    acts.remove(collection=collection, frames=[frames[0]], names=["smile"], by=bob)
    row = FrameTag.objects.get()
    assert (row.state, row.by, row.by_person, row.model_version) == (TagState.NO, bob, True, None)
    history.undo_last(collection=collection, by=bob)
    row.refresh_from_db()
    assert (row.state, row.score, row.by_person, row.model_version) == (TagState.YES, 0.6, False, model)


@pytest.mark.django_db
def test_tags_of_many_frames_change_in_one_operation(collection, bob, frames):
    operation = acts.add(collection=collection, frames=frames, names=["Blue Sky", "cloud"], by=bob)
    assert operation.summary == "Tags +blue_sky +cloud on 3 frames"
    assert FrameTag.objects.count() == 6
    history.undo_last(collection=collection, by=bob)
    assert not FrameTag.objects.exists()


def by_model(frame, *names):
    model, _ = ModelVersion.objects.get_or_create(task="tags", name="m")
    for name in names:
        tag, _ = Tag.objects.get_or_create(name=name)
        FrameTag.objects.create(frame=frame, tag=tag, score=0.6, model_version=model)


@pytest.mark.django_db
def test_what_models_say_against_a_new_tag_goes_from_its_frames_and_undo_brings_it_back(collection, bob, frames):
    for frame in frames[:2]:
        by_model(frame, "no_humans", "tree")
    by_model(frames[2], "no_humans")
    acts.add(collection=collection, frames=frames[:2], names=["1girl"], by=bob)
    assert [said(frame) for frame in frames] == [{"1girl": "yes", "tree": "yes"}] * 2 + [{"no_humans": "yes"}]
    undone, skipped, _ = history.undo_last(collection=collection, by=bob)
    assert (skipped, undone.revisions.count()) == (0, 4)
    assert said(frames[0]) == {"no_humans": "yes", "tree": "yes"}
    assert FrameTag.objects.get(frame=frames[0], tag__name="no_humans").score == 0.6


@pytest.mark.django_db
def test_a_second_hair_colour_is_no_contradiction_where_a_person_sees_two_people(collection, alice, bob, frames):
    acts.add(collection=collection, frames=[frames[0]], names=["2girls"], by=alice)
    for frame in frames[:2]:
        by_model(frame, "blue_hair")
    acts.add(collection=collection, frames=frames[:2], names=["blonde_hair"], by=bob)
    assert said(frames[0]) == {"2girls": "yes", "blonde_hair": "yes", "blue_hair": "yes"}
    assert said(frames[1]) == {"blonde_hair": "yes"}


@pytest.mark.django_db
def test_a_tag_taken_away_contradicts_nothing_and_people_never_lose_their_own(collection, alice, bob, frames):
    acts.add(collection=collection, frames=[frames[0]], names=["indoors"], by=alice)
    by_model(frames[0], "no_humans")
    acts.remove(collection=collection, frames=[frames[0]], names=["1girl", "night"], by=bob)
    acts.add(collection=collection, frames=[frames[0]], names=["outdoors"], by=bob)
    assert said(frames[0]) == {"indoors": "yes", "outdoors": "yes", "no_humans": "yes"}


@pytest.mark.django_db
def test_a_no_to_a_tag_that_only_a_model_knows_is_remembered(collection, bob, frames):
    assert acts.remove(collection=collection, frames=[frames[0]], names=["smile"], by=bob).summary == "Tags unchanged"
    assert said(frames[0]) == {}
    acts.answer(collection=collection, frame=frames[0], name="Smile", yes=False, by=bob)
    assert said(frames[0]) == {"smile": "no"}
    acts.answer(collection=collection, frame=frames[0], name="smile", yes=True, by=bob)
    assert said(frames[0]) == {"smile": "yes"}


@pytest.mark.django_db
def test_the_same_answer_again_changes_nothing_and_keeps_who_gave_it_first(collection, alice, bob, frames):
    acts.add(collection=collection, frames=[frames[0]], names=["smile"], by=alice)
    again = acts.add(collection=collection, frames=[frames[0]], names=["smile"], by=bob)
    assert FrameTag.objects.get().by == alice
    assert again.revisions.count() == 0
    with pytest.raises(BadInput, match="at least one frame"):
        acts.add(collection=collection, frames=[], names=["smile"], by=bob)


@pytest.mark.django_db
def test_an_alias_stands_for_its_tag(collection, bob, frames):
    tag = Tag.objects.create(name="1girl")
    TagAlias.objects.create(name="sole_female", tag=tag)
    acts.add(collection=collection, frames=[frames[0]], names=["sole female", "1girl"], by=bob)
    assert said(frames[0]) == {"1girl": "yes"}


@pytest.mark.django_db
def test_a_frame_of_another_collection_is_refused_and_nothing_is_written(bob, frames):
    other = Collection.objects.create(name="Other")
    with pytest.raises(Conflict):
        acts.add(collection=other, frames=[frames[0]], names=["x"], by=bob)
    assert not FrameTag.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "a,b", "a\x07", "a\ue000", "a\u202eb", "x" * 201, "\u200b"])
def test_a_tag_that_is_none_is_refused(name):
    with pytest.raises(BadInput):
        acts.clean_name(name)


def test_a_tag_is_stored_in_lower_case_with_one_underscore_for_any_space():
    assert acts.clean_name("  Long \n HAIR ") == "long_hair"
    assert acts.clean_name("CAFE\u0301") == "caf\u00e9"
    assert acts.clean_name("\u200blong\u200b_hair") == "long_hair"
    assert acts.clean_name("x" * 200) == "x" * 200


@pytest.mark.parametrize("name", ["^_^", ">_<", "0_0", "||_||", "@_@", "<script>alert(1)</script>"])
def test_odd_tags_stay_what_they_are(name):
    assert acts.clean_name(name) == name


@given(st.text(max_size=60))
def test_a_cleaned_tag_cleans_to_itself(text):
    try:
        name = acts.clean_name(text)
    except BadInput:
        return
    assert acts.clean_name(name) == name


@pytest.mark.django_db
def test_known_and_new_tags_are_added_together_to_frames_of_several_batches(collection, bob, frames, monkeypatch):
    monkeypatch.setattr(batches, "BATCH", 2)
    Tag.objects.create(name="smile")
    keys = [frame.pk for frame in frames]
    operation = acts.add(collection=collection, frames=keys, names=["smile", "new"], by=bob)
    assert operation.summary == "Tags +smile +new on 3 frames"
    assert [said(frame) for frame in frames] == [{"new": "yes", "smile": "yes"}] * 3
    with pytest.raises(Conflict, match="1 of these frames no longer exist"):
        acts.add(collection=collection, frames=[*keys, 2**40], names=["hat"], by=bob)


@pytest.mark.django_db
def test_a_tag_that_only_another_collection_has_is_not_revealed_by_removing_it(bob, collection, frames):
    other = Collection.objects.create(name="Other")
    acts.add(collection=collection, frames=frames[:1], names=["secret"], by=bob)
    episode = Episode.objects.create(
        collection=other, source=Source.objects.create(collection=other, kind="video", name="b", path="b", sha256="b")
    )
    frame = Frame.objects.create(collection=other, episode=episode, index=0, width=4, height=3)
    for name in ("secret", "unheard"):
        assert acts.remove(collection=other, frames=[frame], names=[name], by=bob).summary == "Tags unchanged"
    assert said(frame) == {}
