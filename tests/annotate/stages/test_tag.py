"""Tags come with score and origin; a person's yes and no stay; another model tags again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from annotate.actions import tag_lists
from annotate.actions import tags as tag_acts
from annotate.algorithms.query import parse
from annotate.backends.model_files import registry
from annotate.chosen_models.choices import choose
from annotate.models import (
    Character,
    Face,
    FrameTag,
    ModelAnswer,
    ModelVersion,
    NamedBy,
    Tag,
    TagAlias,
    TagCategory,
)
from annotate.queries import search
from annotate.tagging import colour_votes, effective, stored_scores
from ingest.actions import runs
from ingest.models import Frame, RunState, SideFile
from tests.annotate.people import ANNA, BETH
from tests.annotate.scorer_graphs import write_classifier, write_model, write_tags

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
    first, second, none = Frame.objects.order_by("index")
    tags = said(first)
    assert {"solo", "blonde_hair", "blue_eyes", "lowres"} <= set(tags)
    assert tags["lowres"].tag.category == TagCategory.META
    assert tags["blonde_hair"].model_version == ModelVersion.objects.get(task="tags", name="computed")
    assert 0.35 <= tags["blonde_hair"].score <= 1
    assert {"blonde_hair", "black_hair"} <= set(said(second))
    assert "solo" not in said(second)
    assert "solo" not in said(none)
    assert first.tagged


def test_a_second_run_changes_nothing(make_episode, run):
    episode = make_episode([[ANNA], []])
    run(episode, "tag")
    before = sorted(FrameTag.objects.values_list("pk", "frame", "tag", "score"))
    assert run(episode, "tag").stages.get().counters == {}
    assert sorted(FrameTag.objects.values_list("pk", "frame", "tag", "score")) == before


def test_a_person_keeps_the_last_word(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    Tag.objects.create(name="solo", common=True)
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


def test_a_tagger_that_is_not_there_fails_with_a_message(make_episode, who_stages):
    episode = make_episode([[ANNA]])
    params = {"tag": {"tagger": "wd-large"}}
    started = runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["tag"], params=params)
    done = runs.run_here(started)
    assert done.state == RunState.FAILED
    assert "no model 'wd-large' for tags" in done.stages.get().error


def test_a_broken_picture_is_reported_and_the_rest_is_tagged(make_episode, run, settings):
    episode = make_episode([[ANNA], [BETH]])
    first = Frame.objects.get(index=0)
    (settings.KOMA_DATA_DIR / "store" / first.file).write_bytes(b"broken")
    stage = run(episode, "tag").stages.get()
    assert stage.counters["unreadable"] == 1
    assert "frame 0 was not tagged" in stage.log
    assert Frame.objects.get(index=1).tagged


@pytest.fixture()
def opened_models(monkeypatch) -> list[str]:
    """Names of the models that were loaded, in order."""
    names: list[str] = []
    really = registry.open_model

    def noting(found, **options):
        names.append(found.name)
        return really(found, **options)

    monkeypatch.setattr(registry, "open_model", noting)
    return names


def pictures_gone(settings) -> None:
    """No picture can be read any more: what still works needs none."""
    shutil.rmtree(settings.KOMA_DATA_DIR / "store")


def tag_with(run, episode, **params):
    return run(episode, "tag", params={"tag": params}).stages.get()


def test_other_thresholds_need_neither_a_network_nor_a_picture(make_episode, run, tiny_tagger, opened_models, settings):
    episode = make_episode([[ANNA], [BETH], []])
    run(episode, "tag")
    assert opened_models == ["wd-tiny"]
    pictures_gone(settings)
    frame = Frame.objects.order_by("index").first()
    assert "indoors" in said(frame)
    stage = tag_with(run, episode, general_threshold=0.8)
    assert stage.counters["frames"] == 3
    assert "unreadable" not in stage.counters
    assert opened_models == ["wd-tiny"]
    assert "indoors" not in said(frame)
    assert said(frame)["solo"].model_version.name == "wd-tiny"
    assert "blonde_hair" in said(frame)  # the computed tags follow from stored answers too
    tag_with(run, episode, general_threshold=0.5)
    assert "indoors" in said(frame)
    assert tag_with(run, episode, general_threshold=0.5).counters == {}


def test_rows_that_are_right_already_are_not_written_again(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA]])
    run(episode, "tag")
    before = {row.tag.name: (row.pk, row.at) for row in FrameTag.objects.select_related("tag")}
    tag_with(run, episode, general_threshold=0.8)
    after = {row.tag.name: (row.pk, row.at) for row in FrameTag.objects.select_related("tag")}
    assert before.keys() - after.keys() == {"indoors"}
    assert all(before[name] == result for name, result in after.items())


def test_new_thresholds_leave_people_the_last_word(make_episode, run, tiny_tagger, collection, alice):
    episode = make_episode([[ANNA]])
    run(episode, "tag", params={"tag": {"general_threshold": 0.8}})
    frame = Frame.objects.get()
    tag_acts.remove(collection=collection, frames=[frame], names=["solo"], by=alice)
    Tag.objects.create(name="crown")
    tag_acts.add(collection=collection, frames=[frame], names=["crown"], by=alice)
    tag_with(run, episode, general_threshold=0.1)
    tags = said(frame)
    assert (tags["solo"].state, tags["solo"].by) == ("no", alice)
    assert (tags["crown"].state, tags["crown"].by) == ("yes", alice)
    assert tags["indoors"].state == "yes"


def test_raw_answers_carry_no_threshold(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA]])
    run(episode, "tag")
    tag_with(run, episode, general_threshold=0.8)
    version = ModelVersion.objects.get(name="wd-tiny")  # one, whatever the thresholds
    assert version.settings == {}
    scores = stored_scores.stored_version(version).unpack(bytes(ModelAnswer.objects.get(model_version=version).data))
    assert scores == pytest.approx([0.9, 0.1, 0.6, 0.97], abs=1e-5)


def test_computed_tags_are_computed_again_where_faces_changed(make_episode, run, opened_models):
    episode = make_episode([[ANNA, BETH]])
    run(episode, "tag")
    frame = Frame.objects.get()
    assert "solo" not in said(frame)
    Face.objects.order_by("-left").first().delete()
    tag_with(run, episode, general_threshold=0.5)  # nothing to read by it, but the frame was marked by the same words
    assert "solo" not in said(frame)
    Frame.objects.update(tagged=False)
    run(episode, "tag")
    assert "solo" in said(frame)


def test_the_answers_of_a_model_that_is_gone_still_give_tags(make_episode, run, tiny_tagger, settings):
    episode = make_episode([[ANNA]])
    run(episode, "tag")
    shutil.rmtree(settings.KOMA_MODELS_DIR / "wd-tiny")
    tag_with(run, episode, tagger="wd-tiny", general_threshold=0.8)
    assert "indoors" not in said(Frame.objects.get())
    assert "solo" in said(Frame.objects.get())


def test_a_model_that_is_gone_is_missed_where_it_has_not_answered(make_episode, who_stages, run, tiny_tagger,
                                                                           settings):  # fmt: skip
    episode = make_episode([[ANNA]])
    run(episode, "tag")
    shutil.rmtree(settings.KOMA_MODELS_DIR / "wd-tiny")
    second = make_episode([[BETH]])
    started = runs.start(
        collection=second.collection, episodes=[second], by=None, stage_names=["tag"],
        params={"tag": {"tagger": "wd-tiny"}},
    )  # fmt: skip
    assert "wd-tiny is no longer installed" in runs.run_here(started).stages.get().error


def test_the_chosen_classifiers_give_meta_tags(make_episode, run, collection, settings, alice):
    write_classifier(settings.KOMA_MODELS_DIR / "kind", ["3d", "bangumi", "comic", "illustration", "not_painting"],
                     [0.1, 0.6, 0.1, 0.1, 0.1])  # fmt: skip
    write_classifier(settings.KOMA_MODELS_DIR / "age", ["safe", "r15", "r18"], [0.7, 0.2, 0.1])
    episode = make_episode([[ANNA]])
    run(episode, "tag")
    assert not any(":" in name for name in said(Frame.objects.get()))  # nobody chose them
    choose(collection=collection, task="class", names=["kind", "age"], by=alice)
    run(episode, "tag")
    tags = said(Frame.objects.get())
    assert {"class:bangumi", "rating:safe"} <= set(tags)
    assert tags["class:bangumi"].tag.category == TagCategory.META
    assert tags["class:bangumi"].score == pytest.approx(0.6, abs=1e-4)
    tag_with(run, episode, classes=False)
    assert "class:bangumi" not in said(Frame.objects.get())


def test_frames_are_found_by_their_classes(make_episode, run, collection, settings, alice):
    write_classifier(settings.KOMA_MODELS_DIR / "kind", ["monochrome", "normal"], [0.1, 0.9])
    choose(collection=collection, task="class", names=["kind"], by=alice)
    make_episode([[ANNA]])
    run(make_episode([[BETH], []]), "tag")
    parsed = {text: search.frames(collection, parse(text)).count() for text in (
        "tag:monochrome:normal", "-tag:monochrome:normal", '"monochrome:normal"', "monochrome:normal",
    )}  # fmt: skip
    assert parsed == {"tag:monochrome:normal": 2, "-tag:monochrome:normal": 1, '"monochrome:normal"': 2,
                     "monochrome:normal": 2}  # fmt: skip


def test_the_tag_file_beside_a_picture_has_the_last_word_on_the_rating(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA]])
    SideFile.objects.create(frame=Frame.objects.get(), name="a.txt", text="rating:e\nsmile")
    run(episode, "tag")
    assert {"rating:explicit", "smile"} <= set(said(Frame.objects.get()))
    assert "rating:general" not in said(Frame.objects.get())


def test_included_and_unwanted_tags_are_dropped_where_asked(make_episode, run, tiny_tagger, settings):
    episode = make_episode([[ANNA]])
    folder = settings.KOMA_MODELS_DIR / "tag_filtering"
    folder.mkdir()
    (folder / "overlap_tags_simplified.json").write_text('{"indoors": ["solo"]}')
    (folder / "blacklist_tags.txt").write_text("blonde hairs\n")
    tag_with(run, episode, drop_included=True)
    assert "indoors" not in said(Frame.objects.get())
    tag_with(run, episode, drop_unwanted=True)
    tags = said(Frame.objects.get())
    assert "indoors" in tags and "blonde_hair" not in tags
    run(episode, "tag")
    assert {"indoors", "blonde_hair"} <= set(said(Frame.objects.get()))


def test_another_list_of_the_collection_is_followed_by_the_next_run(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA]])
    kind = tag_lists.Kind.UNWANTED
    tag_lists.add(collection=episode.collection, kind=kind, name="a.txt", data=b"blonde hair", by=None)
    tag_with(run, episode, drop_unwanted=True)
    assert "blonde_hair" not in said(Frame.objects.get())
    tag_lists.add(collection=episode.collection, kind=kind, name="b.txt", data=b"indoors", by=None)
    tag_with(run, episode, drop_unwanted=True)
    tags = said(Frame.objects.get())
    assert "blonde_hair" in tags and "indoors" not in tags


def test_a_list_of_unwanted_tags_that_is_not_there_is_missed_with_a_message(make_episode, who_stages):
    episode = make_episode([[ANNA]])
    started = runs.start(collection=episode.collection, episodes=[episode], by=None, stage_names=["tag"],
                         params={"tag": {"drop_unwanted": True}})  # fmt: skip
    assert "There is no list of unwanted tags" in runs.run_here(started).stages.get().error


def test_a_kill_between_answers_and_tags_changes_nothing_in_the_end(make_episode, run, tiny_tagger, monkeypatch):
    """Each batch is one transaction: an error in the middle of it leaves neither answers nor marks."""
    episode = make_episode([[ANNA], [BETH]])
    with monkeypatch.context() as patched:
        patched.setattr(effective, "write", lambda *_: 1 / 0)
        with pytest.raises(AssertionError):
            run(episode, "tag")
    assert not ModelAnswer.objects.exists() and not Frame.objects.filter(tagged=True).exists()
    run(episode, "tag")
    assert ModelAnswer.objects.count() == 4
    assert all("indoors" in said(frame) for frame in Frame.objects.all())


def test_a_stored_answer_that_cannot_be_read_is_reported_and_the_rest_is_tagged(make_episode, run, tiny_tagger):
    episode = make_episode([[ANNA], [BETH]])
    run(episode, "tag")
    first = Frame.objects.get(index=0)
    ModelAnswer.objects.filter(frame=first, model_version__name="wd-tiny").update(data=b"\x03\x00")
    stage = tag_with(run, episode, general_threshold=0.8)
    assert "frame 0 was not tagged: a stored answer cannot be read" in stage.log
    assert stage.counters["frames"] == 1
    assert "indoors" in said(first)  # as it was


def test_the_faces_of_a_character_vote_at_the_end_of_the_stage_that_names_faces(make_episode, run, collection):
    episode = make_episode([[ANNA]] * 4)
    run(episode, "tag")
    odd = Frame.objects.order_by("index").last()
    assert odd.measures[colour_votes.COLOURS][0][0] == "blonde"
    odd.measures[colour_votes.COLOURS] = [["grey", 0.9, "", 0]]
    odd.save()
    grey, _ = Tag.objects.get_or_create(name="grey_hair")
    FrameTag.objects.filter(frame=odd, tag__name="blonde_hair").update(tag=grey)
    anna = Character.objects.create(collection=collection, name="Anna")
    Face.objects.update(character=anna, named_by=NamedBy.PERSON)
    run(episode, "embed", "identify")
    assert "blonde_hair" in said(odd)
    assert "grey_hair" not in said(odd)
