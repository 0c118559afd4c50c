"""Tags by people: three-way merge, aliases, undo."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.actions import tags as acts
from annotate.models import FrameTag, ModelVersion, Tag, TagAlias, TagState
from ingest.actions import history
from ingest.errors import BadInput, Conflict


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


@pytest.mark.django_db
def test_an_alias_stands_for_its_tag(collection, bob, frames):
    tag = Tag.objects.create(name="1girl")
    TagAlias.objects.create(name="sole_female", tag=tag)
    acts.add(collection=collection, frames=[frames[0]], names=["sole female", "1girl"], by=bob)
    assert said(frames[0]) == {"1girl": "yes"}


@pytest.mark.django_db
def test_a_frame_of_another_collection_is_refused_and_nothing_is_written(bob, frames):
    from ingest.models import Collection

    other = Collection.objects.create(name="Other")
    with pytest.raises(Conflict):
        acts.add(collection=other, frames=[frames[0]], names=["x"], by=bob)
    assert not FrameTag.objects.exists()


@pytest.mark.parametrize("name", ["", " ", "a,b", "a\x07", "x" * 201])
def test_a_tag_that_is_none_is_refused(name):
    with pytest.raises(BadInput):
        acts.clean_name(name)


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
