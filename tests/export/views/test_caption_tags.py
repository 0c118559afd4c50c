"""Removing a wrong tag from the captions of the export page: from a picture, a character, the collection; with undo."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from annotate.models import FrameTag, Tag
from export.algorithms.presets import DEFAULT, PRESETS
from export.preview.result import preview
from ingest.actions import history
from ingest.models import Collection, Frame, Membership, Role
from tests.conftest import client_of, make_user
from tests.database_work import cost
from tests.export.conftest import Show
from tests.pages import html_of

pytestmark = pytest.mark.django_db


def address(show: Show, frame: Frame | None = None) -> str:
    return reverse("export_tag", args=[show.collection.pk, (frame or show.frames[0]).pk])


def smiling(show: Show) -> set[int]:
    rows = FrameTag.objects.filter(frame__collection=show.collection, tag__name="smile", state="yes")
    return set(rows.values_list("frame", flat=True))


def test_the_menu_says_how_many_pictures_each_choice_changes(show: Show, as_bob: Client) -> None:
    both = show.frames[4]  # Hinata and Kokona

    menu = html_of(as_bob.get(address(show, both), {"tag": "smile"}))

    assert "from this picture" in menu
    assert 'from all of Hinata <span class="dim">6 pictures' in menu
    assert 'from all of Kokona <span class="dim">5 pictures' in menu
    assert 'from the whole collection <span class="dim">12 pictures' in menu
    assert as_bob.get(address(show, both), {"tag": "hat"}).status_code == 404


def test_the_menu_costs_the_same_however_many_pictures_of_others_have_the_tag(show: Show, as_bob: Client) -> None:
    def opened() -> tuple[int, int]:
        return cost(lambda: as_bob.get(address(show), {"tag": "smile"}))

    opened()
    before = opened()
    smile = Tag.objects.get(name="smile")
    more = Frame.objects.bulk_create(
        Frame(collection=show.collection, episode=show.episode, index=n, width=9, height=9) for n in range(2000, 2300)
    )
    FrameTag.objects.bulk_create(FrameTag(frame=frame, tag=smile) for frame in more)

    after = opened()

    assert after[0] == before[0]
    assert after[1] <= before[1] + 5


@pytest.mark.parametrize("choice", ["picture", "character", "collection"])
def test_a_tag_is_removed_as_chosen_and_one_undo_brings_it_back(
    show: Show, as_bob: Client, bob: User, choice: str
) -> None:
    frames = [frame.pk for frame in show.frames]
    gone = {"picture": {frames[0]}, "character": {*frames[:3], *frames[4:7]}, "collection": set(frames)}[choice]
    chosen = str(show.characters["Hinata"].pk) if choice == "character" else choice

    response = as_bob.post(address(show), {"tag": "smile", "from": chosen}, headers={"HX-Request": "true"})

    assert response.status_code == 204
    triggers = json.loads(response.headers["HX-Trigger"])
    assert triggers["captions"] is True
    assert triggers["toast"]["undo"] is True
    assert smiling(show) == set(frames) - gone
    history.undo_last(collection=show.collection, by=bob)
    assert smiling(show) == set(frames)


def test_captions_are_composed_anew_without_the_removed_tag(show: Show, as_bob: Client) -> None:
    recipe = PRESETS["whole-show"].recipe
    assert all("smile" in text_of(example) for example in preview(show.collection, recipe).examples)

    response = as_bob.post(address(show), {"tag": "smile", "from": "collection"})

    assert response.status_code == 302  # without a script
    assert not any("smile" in text_of(example) for example in preview(show.collection, recipe).examples)


def text_of(example: dict[str, list[object]]) -> str:
    return "".join(piece.text + piece.tail for piece in example["pieces"])  # type: ignore[attr-defined]


def test_viewers_and_strangers_remove_nothing_and_their_captions_are_text(
    show: Show, as_charlie: Client, as_bob: Client
) -> None:
    viewer = make_user("vera")
    Membership.objects.create(collection=show.collection, user=viewer, role=Role.VIEWER)
    form = {"tag": "smile", "from": "collection"}

    assert client_of(viewer).post(address(show), form).status_code == 403
    assert as_charlie.post(address(show), form).status_code == 404
    assert len(smiling(show)) == 12
    page = reverse("export", args=[show.collection.pk])
    assert "data-caption-tag" not in html_of(client_of(viewer).get(page))
    assert html_of(as_bob.get(page)).count('data-caption-tag="smile"') == 10


def test_a_frame_or_character_of_another_collection_is_not_found(show: Show, as_bob: Client) -> None:
    other = Collection.objects.create(name="Other")
    stranger = other.characters.create(name="Stranger")

    assert as_bob.post(address(show), {"tag": "smile", "from": str(stranger.pk)}).status_code == 404
    assert as_bob.post(reverse("export_tag", args=[other.pk, show.frames[0].pk]), {"tag": "smile"}).status_code == 404
    refused = as_bob.post(address(show), {"tag": "smile", "from": ""}, headers={"HX-Request": "true"})
    assert refused.status_code == 422
    assert len(smiling(show)) == 12


def test_no_line_of_a_caption_begins_with_a_comma(show: Show, as_bob: Client) -> None:
    examples = preview(show.collection, DEFAULT.recipe).examples
    pieces = [piece for example in examples for piece in example["pieces"] if piece.tag]
    assert pieces and {piece.tail for piece in pieces} <= {",", ""}
    page = html_of(as_bob.post(reverse("export_preview", args=[show.collection.pk])))
    assert "</button>,</span>" in page
