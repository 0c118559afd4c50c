"""People without a name beside a named character: what the page says of them, and what captions do not claim."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.models import Face, FaceState, FrameTag, ModelVersion, Tag
from annotate.tagging import from_pixels
from export.algorithms.captions import CaptionOptions, caption
from export.algorithms.plan import facts
from export.algorithms.recipe import Recipe, parse
from export.algorithms.selection import SOMEBODY_UNNAMED, Selection, reason_left_out
from export.build import rows_from_database
from export.preview.result import preview
from export.preview.selected import selected_frames
from ingest.models import Frame
from tests.export.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db

ALL_NAMED = {"selection": {"all_named": True}}


def add_extra(show: Show, frame: Frame, state: FaceState = FaceState.NOBODY) -> None:
    Face.objects.create(collection=show.collection, frame=frame, left=0.8, right=0.9, top=0.1, bottom=0.2, state=state)
    Frame.objects.filter(pk=frame.pk).update(face_count=Face.objects.real().filter(frame=frame).count())


@pytest.fixture
def with_extras(show: Show) -> Show:
    """Two pictures of Hinata with somebody else, one with what is no face."""
    add_extra(show, show.frames[0])
    add_extra(show, show.frames[1], FaceState.FACE)
    add_extra(show, show.frames[2], FaceState.NOT_A_FACE)
    return show


def test_the_page_counts_named_pictures_with_people_without_a_name(with_extras: Show, as_alice: Client) -> None:
    assert preview(with_extras.collection, Recipe()).with_extras == 2
    crops = parse({"crops": {"enabled": True, "around": 1.2}})
    assert preview(with_extras.collection, crops).with_extras == 2  # the pictures; each crop shows one face
    page = as_alice.post(reverse("export_preview", args=[with_extras.collection.pk]))
    assert "2 pictures also show people without a name" in " ".join(html_of(page).split())


def test_one_click_leaves_them_out_and_says_how_many(with_extras: Show, as_alice: Client) -> None:
    page = as_alice.post(reverse("export_preview", args=[with_extras.collection.pk]))
    setting = re.search(r'name="set" value="(selection\.[^"]+)"', html_of(page))
    assert setting
    form = as_alice.post(reverse("export_change", args=[with_extras.collection.pk]), {"set": setting[1]})
    assert form.context["recipe"].selection.all_named
    result = preview(with_extras.collection, parse(ALL_NAMED))
    assert result.with_extras == 0
    assert result.left_out[SOMEBODY_UNNAMED] == 4  # these two, and two on which nobody is known


def test_the_pages_that_count_leave_out_what_the_export_leaves_out(with_extras: Show) -> None:
    for sections in (ALL_NAMED, ALL_NAMED | {"arrange": {"name_clusters": True}}):
        recipe = parse(sections)
        rows = rows_from_database.pictures(
            with_extras.collection, name_clusters=recipe.arrange.name_clusters, tags=False
        )
        exported = [row for row in rows if reason_left_out(row, recipe.selection) is None]
        assert selected_frames(with_extras.collection, recipe).count() == len(exported) > 0


def test_a_picture_without_faces_has_nobody_without_a_name(show: Show) -> None:
    rows = list(rows_from_database.pictures(show.collection))
    (alone,) = [row for row in rows if not row.faces]
    assert reason_left_out(alone, Selection(min_faces=0, all_named=True)) is None


def test_no_caption_says_solo_where_there_are_two_faces_unless_a_person_says_so(with_extras: Show, alice: User) -> None:
    solo = Tag.objects.get_or_create(name="solo")[0]
    for frame in with_extras.frames[:3]:
        FrameTag.objects.create(frame=frame, tag=solo, score=0.9)
    FrameTag.objects.filter(frame=with_extras.frames[1], tag=solo).update(by_person=True, by=alice)
    rows = list(rows_from_database.pictures(with_extras.collection))[:3]
    captions = [caption(facts(row, Recipe()), CaptionOptions(), key=row.key) for row in rows]
    assert ["solo" in text.split(", ") for text in captions] == [False, True, True]


def test_a_solo_computed_from_faces_is_uncertain_and_one_of_a_tagger_is_not(show: Show) -> None:
    solo = Tag.objects.get_or_create(name="solo")[0]
    computed = from_pixels.COMPUTED
    for frame, task, name in ((show.frames[0], computed.task, computed.name), (show.frames[1], "tags", "wd")):
        version = ModelVersion.objects.create(task=task, name=name)
        FrameTag.objects.create(frame=frame, tag=solo, score=0.9, model_version=version)
    rows = list(rows_from_database.pictures(show.collection))[:2]
    assert ["solo" in row.weak for row in rows] == [True, False]
    assert all("solo" in row.tags for row in rows)  # the JSON has it
