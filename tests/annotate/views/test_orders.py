"""The order in which lists of pages come: what matters most stands first, and equal rows always in the same order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Character, Face, FaceCluster, ModelCaption, ModelVersion, NamedBy, Tag, TagAlias
from export.build.rows_from_database import pictures_of
from ingest.models import Frame
from tests.annotate.views.conftest import Show, add_frame

pytestmark = pytest.mark.django_db


def context_of(client: Client, name: str, *args: int, **query: str) -> Any:
    """What the page was drawn from."""
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.context


def test_groups_of_faces_come_by_size_and_purity_then_by_number_and_loose_faces_the_surest_first(
    show: Show, as_bob: Client
) -> None:
    FaceCluster.objects.all().delete()
    groups = {1: (2, 0.5), 2: (2, 0.9), 3: (2, 0.5), 4: (2, 0.7), 5: (20, 0.4)}
    Face.objects.all().delete()
    for number, (size, purity) in groups.items():
        cluster = FaceCluster.objects.create(collection=show.collection, number=number, size=size, purity=purity)
        for frame in show.frames[:2]:
            face(show, frame, cluster=cluster)
    loose = [face(show, show.frames[2], score=score) for score in (0.3, 0.9, 0.6, 0.9)]
    page = context_of(as_bob, "faces", show.collection.pk)
    assert [cluster.number for cluster in page["clusters"]] == [5, 2, 4, 1, 3]
    loose_html = str(page["loose"])
    places = [loose_html.index(f'value="{loose[number].pk}') for number in (1, 3, 2, 0)]
    assert places == sorted(places)


def face(show: Show, frame: Frame, **values: Any) -> Face:
    number = Face.objects.count()
    box = {"left": number / 100, "top": 0.1, "right": 0.9, "bottom": 0.9}
    return Face.objects.create(
        collection=show.collection, frame=frame, crop=show.frames[0].file, **(box | {"score": 0.5} | values)
    )


def test_faces_of_a_character_come_peoples_then_the_surest_and_for_doubts_from_the_other_end(
    show: Show, as_bob: Client
) -> None:
    confidences = {"person": None, "sure": 0.9, "as sure": 0.9, "unsure": 0.2}
    rows = {
        name: face(
            show, show.frames[number], character=show.hinata, confidence=confidence,
            named_by=NamedBy.PERSON if confidence is None else NamedBy.MODEL,
        )
        for number, (name, confidence) in enumerate(confidences.items())
    }  # fmt: skip
    names = {row.pk: name for name, row in rows.items()}
    page = context_of(as_bob, "character", show.collection.pk, show.hinata.pk)
    assert [names[row.pk] for row in page["faces"]] == ["person", "sure", "as sure", "unsure"]
    page = context_of(as_bob, "character", show.collection.pk, show.hinata.pk, order="doubtful")
    assert [names[row.pk] for row in page["faces"]] == ["unsure", "as sure", "sure"]
    assert (page["total"], page["by_person"]) == (4, 1)  # of the character, not of the faces in this order


def test_captions_of_models_come_the_newest_first_and_that_is_the_one_exported(show: Show, as_bob: Client) -> None:
    now, frame = timezone.now(), show.frames[0]
    for name, age in (("elder", 2), ("newest", 0), ("older", 1), ("as new", 0)):
        version = ModelVersion.objects.create(task="caption", name=name)
        written = now - timedelta(days=age)
        ModelCaption.objects.create(frame=frame, model_version=version, text=f"By {name}.", written_at=written)
    expected = ["By as new.", "By newest.", "By older.", "By elder."]
    page = context_of(as_bob, "frame", show.collection.pk, frame.pk)
    assert [row.text for row in page["model_captions"]] == expected
    (picture,) = pictures_of([Frame.objects.select_related("episode__source").get(pk=frame.pk)])
    assert picture.prose == expected[0]


def test_tags_are_completed_by_how_they_meet_the_text_then_by_how_common_they_are() -> None:
    counts = {"red": 1, "red_hair": 5, "red_eyes": 9, "redhead": 5, "dark_red": 99, "hundred": 100, "crimson": 50}
    tags = {name: Tag.objects.create(name=name, post_count=count, common=True) for name, count in counts.items()}
    TagAlias.objects.create(name="red_colour", tag=tags["crimson"])
    expected = ["red", "red_eyes", "red_hair", "redhead", "crimson", "dark_red", "hundred"]
    assert [tag.name for tag in Tag.objects.completing("red")] == expected


def test_faces_of_a_frame_are_listed_from_left_to_right(show: Show, as_bob: Client) -> None:
    frame = add_frame(show.collection, show.episode, 50)
    rows = [
        Face.objects.create(
            collection=show.collection, frame=frame, left=left, top=0.1, right=left + 0.1, bottom=0.5, score=0.5
        )
        for left in (0.6, 0.1, 0.3)
    ]
    page = context_of(as_bob, "frame", show.collection.pk, frame.pk)
    assert [row.pk for row in page["faces"]] == [rows[number].pk for number in (1, 2, 0)]


def test_frames_come_by_episode_and_time_and_neighbours_of_one_in_that_order(show: Show, as_bob: Client) -> None:
    late = add_frame(show.collection, show.episode, 90)
    early = add_frame(show.collection, show.episode, 80)
    page = context_of(as_bob, "frames", show.collection.pk)
    keys = [row.pk for row in page["frames"]]
    assert keys == [frame.pk for frame in [*show.frames[:6], early, late]]


def test_characters_come_by_how_often_they_are_seen_then_by_name(show: Show, as_bob: Client) -> None:
    people = {name: Character.objects.create(collection=show.collection, name=name) for name in ("Zoe", "Mia", "Anna")}
    for name, count in (("Zoe", 2), ("Mia", 1), ("Anna", 1)):
        for frame in show.frames[:count]:
            face(show, frame, character=people[name], named_by=NamedBy.PERSON)
    page = context_of(as_bob, "characters", show.collection.pk)
    assert [person.name for person in page["people"]] == ["Zoe", "Anna", "Mia", "KuraueHinata"]
