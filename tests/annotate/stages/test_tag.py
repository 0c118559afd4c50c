"""Tags come with score and origin; a person's yes and no stay; another model tags again."""

from __future__ import annotations

import numpy as np
import pytest

from annotate.actions import tags as tag_acts
from annotate.models import FrameTag, ModelVersion, Tag, TagAlias, TagCategory
from ingest.actions import runs
from ingest.models import Frame, RunState
from tests.annotate.scorer_graphs import write_model, write_tags
from tests.annotate.people import ANNA, BETH

pytestmark = pytest.mark.django_db


def said(frame):
    return {row.tag.name: row for row in FrameTag.objects.filter(frame=frame).select_related("tag")}


@pytest.fixture()
def tiny_tagger(settings):
    """A tagger that says `indoors` 0.6 and `solo` 0.97 of everything, and finds it general."""
    folder = settings.KOMA_MODELS_DIR / "wd-tiny"
    folder.mkdir(parents=True)
    weights = np.zeros((48, 4))
    write_model(folder, side=4, weights=weights, bias=[0.9, 0.1, 0.6, 0.97])
    write_tags(folder, [("general", 9), ("explicit", 9), ("indoors", 0), ("solo", 0)])


def test_computed_tags_carry_score_and_origin(make_episode, run):
    episode = make_episode([[ANNA], [ANNA, BETH], []])
    assert run(episode, "tag").stages.get().counters["frames"] == 3
    one, two, none = Frame.objects.order_by("index")
    tags = said(one)
    assert {"solo", "blonde_hair", "blue_eyes", "lowres"} <= set(tags)
    assert tags["lowres"].tag.category == TagCategory.META
    assert tags["blonde_hair"].model_version == ModelVersion.objects.get(task="tags", name="computed")
    assert 0.35 <= tags["blonde_hair"].score <= 1
    assert {"blonde_hair", "black_hair"} <= set(said(two))
    assert "solo" not in said(two)
    assert "solo" not in said(none)
    assert one.tagged


def test_a_second_run_changes_nothing(make_episode, run):
    episode = make_episode([[ANNA], []])
    run(episode, "tag")
    before = sorted(FrameTag.objects.values_list("pk", "frame", "tag", "score"))
    assert run(episode, "tag").stages.get().counters == {}
    assert sorted(FrameTag.objects.values_list("pk", "frame", "tag", "score")) == before


def test_a_person_keeps_the_last_word(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    Tag.objects.create(name="solo")
    tag_acts.remove(collection=collection, frames=[frame], names=["solo"], by=alice)
    tag_acts.add(collection=collection, frames=[frame], names=["blonde_hair", "smile"], by=alice)
    run(episode, "tag")
    tags = said(frame)
    assert (tags["blonde_hair"].by, tags["smile"].state) == (alice, "yes")
    assert (tags["solo"].state, tags["solo"].by) == ("no", alice)


def test_an_installed_tagger_adds_its_tags_and_the_surer_one_is_the_origin(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA]])
    run(episode, "tag", params={"tag": {"tagger": "none"}})
    assert "indoors" not in said(Frame.objects.get())
    run(episode, "tag")  # the tagger is there now, so the frame is tagged again
    tags = said(Frame.objects.get())
    wd = ModelVersion.objects.get(name="wd-tiny")
    assert (tags["indoors"].model_version, round(tags["indoors"].score, 2)) == (wd, 0.6)
    assert tags["solo"].model_version == wd
    assert tags["blonde_hair"].model_version.name == "computed"
    assert "rating:general" in tags


def test_a_taggers_word_follows_the_vocabularys_alias(make_episode, run, tiny_tagger):
    TagAlias.objects.create(name="indoors", tag=Tag.objects.create(name="inside"))
    run(make_episode([[ANNA]]), "tag")
    assert {"inside"} <= set(said(Frame.objects.get()))
    assert "indoors" not in said(Frame.objects.get())


def test_a_tagger_that_is_not_there_fails_in_words(make_episode, who_stages):
    episode = make_episode([[ANNA]])
    params = {"tag": {"tagger": "wd-large"}}
    started = runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["tag"], params=params)
    done = runs.run_here(started)
    assert done.state == RunState.FAILED
    assert "no model 'wd-large' for tags" in done.stages.get().error


def test_a_broken_picture_is_told_and_the_rest_is_tagged(make_episode, run, settings):
    episode = make_episode([[ANNA], [BETH]])
    first = Frame.objects.get(index=0)
    (settings.KOMA_DATA_DIR / "store" / first.file).write_bytes(b"broken")
    stage = run(episode, "tag").stages.get()
    assert stage.counters["unreadable"] == 1
    assert "frame 0 was not tagged" in stage.log
    assert Frame.objects.get(index=1).tagged
