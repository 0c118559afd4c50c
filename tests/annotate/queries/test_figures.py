"""Which pictures stand for an episode and for a character, and in which order tags are offered."""

from __future__ import annotations

from typing import Any

import pytest

from annotate.models import Character, Face, FaceState, FrameTag, NamedBy, Tag, TagCategory
from annotate.queries.figures import PORTRAIT_CANDIDATES, character_tags, portraits, stills
from ingest.models import Collection, Episode, Frame, FrameState, Source
from tests.database_work import cost

pytestmark = pytest.mark.django_db


@pytest.fixture()
def episode(collection: Collection) -> Episode:
    source = Source.objects.create(collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    return Episode.objects.create(collection=collection, source=source, title="a")


def frame(episode: Episode, preview: str, **values: Any) -> Frame:
    return Frame.objects.create(
        collection=episode.collection, episode=episode, index=Frame.objects.count(),
        preview=preview, **({"width": 9, "height": 9} | values),
    )  # fmt: skip


def test_stills_are_the_kept_frames_with_most_faces_and_of_these_the_best(episode: Episode) -> None:
    frame(episode, "no face, very sharp", face_count=0, quality=99)
    frame(episode, "two, blurred", face_count=2, quality=1)
    frame(episode, "one", face_count=1, quality=50)
    frame(episode, "two, sharp", face_count=2, quality=9)
    frame(episode, "two, as sharp, later", face_count=2, quality=9)
    frame(episode, "dropped", face_count=7, quality=99, state=FrameState.DROPPED)
    expected = ["two, sharp", "two, as sharp, later", "two, blurred", "one", "no face, very sharp"]
    assert stills(episode.collection, 9) == {episode.pk: expected}
    assert stills(episode.collection, 2) == {episode.pk: expected[:2]}


def test_a_portrait_is_a_reference_face_then_a_persons_then_the_surest(episode: Episode) -> None:
    anna, beth = (Character.objects.create(collection=episode.collection, name=name) for name in ("Anna", "Beth"))
    rows: list[Face] = []

    def face(crop: str, **values: Any) -> Face:
        of = frame(episode, "")
        row = Face.objects.create(
            collection=episode.collection, frame=of, left=0, top=0, right=1, bottom=1, crop=crop,
            **{"character": anna, "named_by": NamedBy.MODEL, "score": 0.5} | values,
        )  # fmt: skip
        rows.append(row)
        return row

    face("unsure", score=0.1)
    face("sure", score=0.9)
    face("as sure, later", score=0.9)
    face("a person's", named_by=NamedBy.PERSON, score=0.2)
    face("reference", named_by=NamedBy.PERSON, is_reference=True, score=0.1)
    face("", is_reference=True, named_by=NamedBy.PERSON, score=1.0)
    face("not a face", state=FaceState.NOT_A_FACE, is_reference=True)
    for expected in ("reference", "a person's", "sure", "as sure, later", "unsure", ""):
        assert portraits([anna.pk, beth.pk]) == {anna.pk: expected, beth.pk: ""}
        Face.objects.filter(character=anna, crop=expected).delete()


def test_a_portrait_shows_a_whole_large_head_that_looks_at_one(episode: Episode) -> None:
    anna = Character.objects.create(collection=episode.collection, name="Anna")
    profile = Tag.objects.create(name="profile")

    def face(crop: str, *, box: tuple[float, ...] = (0.4, 0.4, 0.5, 0.6), size: int = 1000, **values: Any) -> Frame:
        of = frame(episode, crop, width=size, height=size // 2)
        left, top, right, bottom = box
        Face.objects.create(
            collection=episode.collection, frame=of, left=left, top=top, right=right, bottom=bottom, crop=crop,
            **{"character": anna, "named_by": NamedBy.PERSON, "score": 0.5} | values,
        )  # fmt: skip
        return of

    face("over the top", box=(0.4, 0.0, 0.5, 0.2), score=0.9)
    face("over the right edge", box=(0.9, 0.4, 1.0, 0.6), score=0.9)
    face("over the bottom", box=(0.4, 0.8, 0.5, 1.0), score=0.8)
    turned = face("from the side", score=0.8)
    FrameTag.objects.create(frame=turned, tag=profile, score=0.9)
    face("small", size=100, score=0.95)
    face("good", score=0.3)
    face("good, by a model", score=0.99, named_by=NamedBy.MODEL)
    face("chosen", box=(0.9, 0.4, 1.0, 0.6), score=0.1, is_reference=True)
    for expected in ("chosen", "good", "good, by a model", "small", "from the side", "over the right edge"):
        if expected == "over the right edge":
            Face.objects.filter(crop="over the top").delete()
        assert portraits([anna.pk]) == {anna.pk: expected}
        Face.objects.filter(crop=expected).delete()
    assert portraits([anna.pk]) == {anna.pk: "over the bottom"}


@pytest.mark.parametrize("turned", [False, True])
def test_choosing_portraits_costs_the_same_however_many_faces_are_cut_off_or_turned_away(
    episode: Episode, turned: bool
) -> None:
    anna = Character.objects.create(collection=episode.collection, name="Anna")
    top = 0.4 if turned else 0.0
    box = {"left": 0.4, "top": top, "right": 0.5, "bottom": top + 0.2}
    profile = Tag.objects.create(name="profile")

    def add(number: int) -> None:
        frames = [frame(episode, "", width=1000, height=500) for _ in range(number)]
        FrameTag.objects.bulk_create(FrameTag(frame=row, tag=profile) for row in frames if turned)
        Face.objects.bulk_create(
            Face(collection=episode.collection, frame=row, crop="c", character=anna, **box) for row in frames
        )

    add(2 * PORTRAIT_CANDIDATES)
    queries, steps = cost(lambda: portraits([anna.pk]))
    add(18 * PORTRAIT_CANDIDATES)
    more_queries, more_steps = cost(lambda: portraits([anna.pk]))
    assert more_queries == queries == 1
    assert more_steps <= steps + 3


def test_character_tags_come_by_how_many_frames_have_them_then_by_name(episode: Episode) -> None:
    names = {"rin": 1, "miku": 3, "luka": 1, "hat": 2}
    frames = [frame(episode, "") for _ in range(3)]
    for name, count in names.items():
        category = TagCategory.GENERAL if name == "hat" else TagCategory.CHARACTER
        tag = Tag.objects.create(name=name, category=category)
        FrameTag.objects.bulk_create(FrameTag(frame=row, tag=tag) for row in frames[:count])
    assert character_tags(episode.collection) == [("miku", 3), ("luka", 1), ("rin", 1)]
