"""One hair and one eye colour per character: the faces of a character or of a group vote."""

from __future__ import annotations

import pytest

from annotate.algorithms.colour_vote import Ballot
from annotate.algorithms.face_colours import FaceColours, Named
from annotate.models import Character, Face, FaceCluster, FrameTag, ModelVersion, Tag, TagState
from annotate.tagging import colour_votes, from_pixels
from ingest.models import Collection, Episode, Frame, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection():
    return Collection.objects.create(name="Show")


@pytest.fixture
def version():
    return from_pixels.scored_version().version


@pytest.fixture
def frame_of(collection, version):
    """`frame_of(("brown", "blue"), ...)`: a tagged frame with a face of each hair and eye colour ("": none)."""
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="1")

    def make(*looks, **face_fields):
        colours = [
            FaceColours(Named(hair, 0.9) if hair else None, Named(eyes, 0.9) if eyes else None) for hair, eyes in looks
        ]
        frame = Frame.objects.create(
            collection=collection, episode=episode, index=Frame.objects.count(), width=480, height=270,
            measures={colour_votes.COLOURS: colour_votes.stored(colours)},
        )  # fmt: skip
        for number, (hair, eyes) in enumerate(looks):
            left = 0.2 * number
            Face.objects.create(
                collection=collection, frame=frame, left=left, top=0.1, right=left + 0.1, bottom=0.3, **face_fields
            )
            for name in filter(None, (hair and f"{hair}_hair", eyes and f"{eyes}_eyes")):
                tag, _ = Tag.objects.get_or_create(name=name)
                FrameTag.objects.get_or_create(frame=frame, tag=tag, defaults={"model_version": version, "score": 0.9})
        return frame

    return make


def tags(frame):
    rows = FrameTag.objects.filter(frame=frame, state=TagState.YES)
    return set(rows.values_list("tag__name", flat=True))


def test_a_group_has_the_colour_of_most_of_its_votes_unless_they_disagree_strongly():
    brown, grey = Named("brown", 0.8), Named("grey", 0.6)
    votes = [("a", brown), ("a", brown), ("a", brown), ("a", grey)]
    assert Ballot(votes).winners() == {"a": Named("brown", pytest.approx(0.8))}
    assert Ballot([("a", brown), ("a", grey), ("b", brown)]).winners() == {}
    assert Ballot().winners() == {}


def test_a_vote_over_several_parts_is_one_vote(frame_of, collection, version, monkeypatch):
    monkeypatch.setattr(colour_votes, "CHUNK", 2)
    nagi = Character.objects.create(collection=collection, name="Nagi")
    odd = frame_of(("grey", "aqua"), character=nagi)
    frames = [frame_of(("brown", "blue"), character=nagi) for _ in range(6)]
    colour_votes.settle(Frame.objects.all(), version)
    assert [tags(frame) for frame in (odd, *frames)] == [{"brown_hair", "blue_eyes"}] * 7


def test_faces_of_a_character_get_the_colours_of_the_character(frame_of, collection, version):
    nagi = Character.objects.create(collection=collection, name="Nagi")
    frames = [frame_of(("brown", "blue"), character=nagi) for _ in range(4)]
    odd = frame_of(("grey", "aqua"), character=nagi)
    shut = frame_of(("brown", ""), character=nagi)
    stranger = frame_of(("grey", "red"))
    colour_votes.settle(Frame.objects.all(), version)
    assert all(tags(frame) == {"brown_hair", "blue_eyes"} for frame in [*frames, odd])
    assert tags(shut) == {"brown_hair"}
    assert tags(stranger) == {"grey_hair", "red_eyes"}
    before = list(FrameTag.objects.order_by("pk").values_list("pk", "at"))
    colour_votes.settle(Frame.objects.all(), version)
    assert list(FrameTag.objects.order_by("pk").values_list("pk", "at")) == before


def test_faces_without_a_name_vote_in_their_group_and_again_when_they_are_named(frame_of, collection, version):
    group = FaceCluster.objects.create(collection=collection, number=1)
    for _ in range(3):
        frame_of(("brown", ""), cluster=group)
    odd = frame_of(("grey", ""), cluster=group)
    colour_votes.settle(Frame.objects.all(), version)
    assert tags(odd) == {"brown_hair"}
    Face.objects.filter(frame=odd).update(character=Character.objects.create(collection=collection, name="Gin"))
    colour_votes.settle(Frame.objects.all(), version)
    assert tags(odd) == {"grey_hair"}


def test_two_looks_of_one_character_both_stay(frame_of, collection, version):
    nagi = Character.objects.create(collection=collection, name="Nagi")
    dyed = [frame_of(("blonde", ""), character=nagi) for _ in range(3)]
    usual = [frame_of(("black", ""), character=nagi) for _ in range(3)]
    colour_votes.settle(Frame.objects.all(), version)
    assert [tags(frame) for frame in [*dyed, *usual]] == [{"blonde_hair"}] * 3 + [{"black_hair"}] * 3


def test_tags_of_people_and_other_models_stay_and_nothing_rejected_comes_back(frame_of, collection, version):
    nagi = Character.objects.create(collection=collection, name="Nagi")
    for _ in range(9):
        frame_of(("brown", ""), character=nagi)
    rejected, by_person, by_model = (frame_of(("grey", ""), character=nagi) for _ in range(3))
    FrameTag.objects.create(frame=rejected, tag=Tag.objects.get(name="brown_hair"), state=TagState.NO, by_person=True)
    FrameTag.objects.filter(frame=by_person).update(by_person=True)
    other = ModelVersion.objects.create(task="tags", name="other")
    FrameTag.objects.filter(frame=by_model).update(model_version=other)
    colour_votes.settle(Frame.objects.all(), version)
    assert tags(rejected) == set()
    assert tags(by_person) == tags(by_model) == {"grey_hair"}


def test_frames_whose_faces_changed_since_they_were_tagged_do_not_vote(frame_of, collection, version):
    nagi = Character.objects.create(collection=collection, name="Nagi")
    for _ in range(3):
        frame_of(("brown", ""), character=nagi)
    changed = frame_of(("grey", ""), character=nagi)
    Face.objects.create(collection=collection, frame=changed, left=0.8, top=0.1, right=0.9, bottom=0.3, character=nagi)
    colour_votes.settle(Frame.objects.all(), version)
    assert tags(changed) == {"grey_hair"}
