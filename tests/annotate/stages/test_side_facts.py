"""What files beside pictures say becomes tags, scores and captions; copies that were dropped count for what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from django.conf import settings

from annotate.actions import tags as tag_acts
from annotate.models import FileCaption, FileFacts, FrameTag, Tag, TagCategory
from ingest.actions import history, sources
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Frame, FrameState, SideFile
from tests.annotate.people import ANNA

pytestmark = pytest.mark.django_db


def said(frame: Frame) -> dict[str, str]:
    """Origin by tag."""
    rows = FrameTag.objects.filter(frame=frame, state="yes").select_related("tag", "model_version")
    return {row.tag.name: row.model_version.name if row.model_version else "person" for row in rows}


def give(frame: Frame, text: str, name: str = "a.txt") -> None:
    SideFile.objects.create(frame=frame, name=name, text=text)
    Frame.objects.filter(pk=frame.pk).update(tagged=False)


def sky(frame: Frame) -> Frame:
    """The frame with a picture in which the pixels say that nobody is there."""
    blue = np.zeros((270, 480, 3), np.uint8)
    blue[..., 2] = np.linspace(60, 250, 270)[:, None]
    frame.file = Store(settings.KOMA_DATA_DIR / "store").put(encode(blue, PictureFormat("png")), "png")
    frame.save(update_fields=["file"])
    return frame


def test_they_are_labels_of_their_category_and_a_person_keeps_the_last_word(make_episode, run, collection, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    give(frame, "character:kuraue hinata\nsmile\nhat\n<script>\nrating:safe")
    Tag.objects.create(name="hat", common=True)
    tag_acts.remove(collection=collection, frames=[frame], names=["hat"], by=alice)
    run(episode, "tag")
    result = said(frame)
    assert {name for name, origin in result.items() if origin == "tag file"} == {
        "kuraue_hinata", "smile", "<script>", "rating:safe",
    }  # fmt: skip
    assert Tag.objects.get(name="kuraue_hinata").category == TagCategory.CHARACTER
    assert "hat" not in result
    assert result["lowres"] == "computed"
    before = sorted(FrameTag.objects.values_list("pk", "tag", "score"))
    assert run(episode, "tag").stages.get().counters == {}
    assert sorted(FrameTag.objects.values_list("pk", "tag", "score")) == before


def test_the_letter_s_waits_for_the_scheme_of_its_source(make_episode, run, alice):
    episode = make_episode([[ANNA]])
    frame = Frame.objects.get()
    give(frame, "rating: s\nscore: 55")
    run(episode, "tag")
    assert not any(name.startswith("rating:") for name in said(frame))
    facts = FileFacts.objects.get(frame=frame)
    assert (facts.rating, facts.rating_scheme, facts.score, facts.rating_unread) == ("s", "", 55, True)
    assert "safe on older boorus" in facts.left[0]
    for scheme, rating in (("old", "rating:safe"), ("new", "rating:sensitive"), ("", "")):
        episode.source.refresh_from_db()
        sources.change(episode=episode, by=alice, values={"rating_scheme": scheme})
        run(episode, "tag")
        assert [name for name in said(frame) if name.startswith("rating:")] == ([rating] if rating else [])
    assert FileFacts.objects.get(frame=frame).rating_unread


def test_prose_is_a_caption_and_no_tag(make_episode, run):
    episode = make_episode([[ANNA]])
    give(Frame.objects.get(), "A girl stands at the window of a train.\nShe looks out at the falling snow.")
    run(episode, "tag")
    assert list(FileCaption.objects.values_list("text", flat=True)) == [
        "A girl stands at the window of a train.", "She looks out at the falling snow.",
    ]  # fmt: skip
    assert "tag file" not in said(Frame.objects.get()).values()


def test_nothing_computed_contradicts_a_file(make_episode, run):
    episode = make_episode([[]])
    frame = sky(Frame.objects.get())
    run(episode, "tag")
    assert "no_humans" in said(frame)
    give(frame, "\ufeff1girl, ^_^, :3, saber \\(fate\\)\r\n")
    run(episode, "tag")
    assert "no_humans" not in said(frame)
    assert {"1girl", "^_^", ":3", "saber_(fate)"} <= said(frame).keys()


def test_nothing_computed_contradicts_a_person(make_episode, run, collection, alice):
    episode = make_episode([[]])
    frame = sky(Frame.objects.get())
    run(episode, "tag")
    tag_acts.add(collection=collection, frames=[frame], names=["1girl"], by=alice)
    Frame.objects.update(tagged=False)
    run(episode, "tag")
    assert "no_humans" not in said(frame)


def test_what_is_said_of_a_dropped_copy_counts_for_the_kept_one_and_follows_the_choice(
    make_episode, run, collection, alice
):
    episode = make_episode([[ANNA], [ANNA]])
    low, high = Frame.objects.order_by("index")
    give(low, "1girl, solo, silver hair, school uniform\nrating: safe\nscore: 3")
    give(low, "A girl stands at the window.", name="a.caption")
    tag_acts.add(collection=collection, frames=[low], names=["crown"], by=alice)

    def keep(kept: Frame, dropped: Frame) -> None:
        Frame.objects.filter(pk=kept.pk).update(state=FrameState.KEPT, reason="", duplicate_of=None)
        Frame.objects.filter(pk=dropped.pk).update(state=FrameState.DROPPED, reason="duplicate", duplicate_of=kept)
        run(episode, "tag")

    keep(high, low)
    result = said(high)
    assert result["silver_hair"] == result["rating:safe"] == "tag file of a copy"
    assert result["crown"] == "a person, on a copy"
    assert FileFacts.objects.get(frame=high).score == 3
    assert FileCaption.objects.get(frame=high).beside == low
    assert run(episode, "tag").stages.get().counters == {}
    tag_acts.remove(collection=collection, frames=[low], names=["crown"], by=alice)
    run(episode, "tag")
    assert "crown" not in said(high)

    keep(low, high)
    assert said(low)["silver_hair"] == "tag file"
    Frame.objects.update(state=FrameState.KEPT, reason="", duplicate_of=None)
    run(episode, "tag")
    assert "silver_hair" not in said(high)
    assert not FileFacts.objects.filter(frame=high).exists()


def test_what_an_earlier_version_kept_still_counts(make_episode, run):
    episode = make_episode([[ANNA]])
    side = {
        "general": ["smile", "", "a,b", "x" * 500],
        "artist": ["ok tag"],
        "rating": "e",
        "caption": "A girl stands.",
    }
    Frame.objects.update(measures={"side": side})
    run(episode, "tag")
    frame = Frame.objects.get()
    assert {name for name, origin in said(frame).items() if origin == "tag file"} == {
        "smile",
        "ok_tag",
        "rating:explicit",
    }
    assert FileCaption.objects.get().text == "A girl stands."


def test_nobody_is_measured_to_be_absent_where_a_file_says_who_is_there(make_episode, run):
    episode = make_episode([[]])
    frame = sky(Frame.objects.get())
    give(frame, "character: Saber")
    run(episode, "tag")
    assert "no_humans" not in said(frame)


def test_a_persons_tag_takes_away_at_once_what_cannot_be_true_beside_it_and_undo_brings_it_back(
    make_episode, run, collection, alice
):
    episode = make_episode([[]])
    frame = sky(Frame.objects.get())
    run(episode, "tag")
    before = said(frame)
    assert "no_humans" in before
    done = tag_acts.add(collection=collection, frames=[frame], names=["2girls"], by=alice)
    assert said(frame) == {**{name: by for name, by in before.items() if name != "no_humans"}, "2girls": "person"}
    history.undo(done, by=alice)
    assert said(frame) == before
