"""Tags from a file beside a picture become labels with that file as their origin."""

from __future__ import annotations

import pytest

from annotate.actions import tags as tag_acts
from annotate.models import FrameTag, Tag, TagCategory
from annotate.stages.side_tags import tags_beside
from ingest.models import Frame
from tests.annotate.people import ANNA

pytestmark = pytest.mark.django_db


def test_they_are_labels_of_their_category_and_a_person_keeps_the_last_word(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    side = {"character": ["kuraue_hinata"], "general": ["smile", "hat", "<script>"], "rating": "s"}
    Frame.objects.update(measures={**frame.measures, "side": side})
    Tag.objects.create(name="hat")
    tag_acts.remove(collection=collection, frames=[frame], names=["hat"], by=alice)
    run(episode, "tag")
    said = {row.tag.name: row for row in FrameTag.objects.select_related("tag", "model_version")}
    assert said["smile"].model_version.name == "tag file"
    assert said["kuraue_hinata"].tag.category == TagCategory.CHARACTER
    assert said["rating:sensitive"].tag.category == TagCategory.META
    assert said["hat"].state == "no"
    assert said["lowres"].model_version.name == "computed"
    before = sorted(FrameTag.objects.values_list("pk", "tag", "score"))
    assert run(episode, "tag").stages.get().counters == {}
    assert sorted(FrameTag.objects.values_list("pk", "tag", "score")) == before


def test_what_cannot_be_a_tag_is_left_out():
    side = {"general": ["", "a,b", "x" * 500, "ok tag", 7], "artist": ["ok tag"], "rating": "z"}
    assert tags_beside({"side": side}) == {"ok_tag": TagCategory.GENERAL, "7": TagCategory.GENERAL}
    assert tags_beside({}) == tags_beside({"side": "no"}) == {}
