"""Names that came with pictures on the pages: candidates first, characters without a face, files beside a picture."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.models import Character, Face, FaceCluster, FrameCharacter, FrameTag, ModelVersion, Tag, TagCategory
from ingest.models import Collection, Frame, SideFile
from tests.annotate.people import ANNA, BETH
from tests.pages import html_of

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = json.dumps(
    {"character": ["Kotegawa Yui", "Miku"], "tags": ["2girls", "^_^"],
     "prose": "Two girls stand at the window of a train.", "rating": "s", "score": 55, "source": "somewhere"}
)  # fmt: skip
SHOTS = os.environ.get("SHOTS_DIR")  # where to leave screenshots to be looked at


def shoot(page: Any, name: str) -> None:
    if not SHOTS:
        return
    for width in (1440, 390):
        for scheme in ("light", "dark"):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=str(Path(SHOTS) / f"{name}_{width}_{scheme}.png"), full_page=True)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.emulate_media(color_scheme="light")


@pytest.fixture
def frame(make_episode: Any, run: Any, collection: Collection) -> Frame:
    """Two faces without names on a picture whose JSON names two."""
    episode = make_episode([[ANNA, BETH]] + [[ANNA]] * 3)
    first = Frame.objects.get(index=0)
    first.preview = first.file
    first.save()
    Frame.objects.filter(index__gt=0).update(preview=first.file)
    SideFile.objects.create(frame=first, name="a.json", text=TEXT)
    run(episode, "tag", "names")
    version = ModelVersion.objects.create(task="tags", name="tiny WD")
    tag = Tag.objects.create(name="hatsune_miku", category=TagCategory.CHARACTER)
    for other in Frame.objects.filter(index__gt=0):
        FrameTag.objects.create(frame=other, tag=tag, score=0.9, model_version=version)
    return first


def test_the_frame_page_offers_names_and_tells_what_files_say(frame: Frame, page_as: Any, alice: User) -> None:
    page = page_as(alice, f"/c/{frame.collection_id}/frames/{frame.pk}/")
    text = page.locator("main, .inspector").all_inner_texts()
    text_shown = " ".join(text)
    assert "^_^" in text_shown
    assert "^ ^" not in text_shown
    assert "Two girls stand at the window of a train." in text_shown
    assert "55" in text_shown
    assert "safe on older boorus" in text_shown
    shoot(page, "frame")
    page.locator(".candidates").first.get_by_role("button", name="Miku").click()
    page.wait_for_selector("text=1 face named Miku")
    assert Face.objects.get(character__name="Miku").named_by == "person"
    assert page.locator(".candidates").count() == 1
    page.get_by_label("Add a character without a face").fill("Rin")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Rin is on this frame")
    page.get_by_label("Rin is not on this frame").click()
    page.wait_for_selector("text=Rin is not on this frame")
    row = FrameCharacter.objects.get(character__name="Rin")
    assert (row.state, row.origin, row.by) == ("no", "person", alice)


def test_without_script_the_same_is_a_plain_form(frame: Frame, as_alice: Client) -> None:
    answer = as_alice.post(f"/c/{frame.collection_id}/frames/{frame.pk}/characters/", {"add": "Rin"}, follow=True)
    assert answer.status_code == 200
    assert FrameCharacter.objects.get(character__name="Rin").by_person
    assert as_alice.post(f"/c/{frame.collection_id}/frames/{frame.pk}/characters/", {"add": " "}).status_code in (
        302,
        400,
        422,
    )
    assert FrameCharacter.objects.filter(origin="person").count() == 1


def test_a_viewer_and_a_stranger_change_nothing(frame: Frame, as_bob: Client, as_charlie: Client) -> None:
    for client in (as_charlie,):
        answer = client.post(f"/c/{frame.collection_id}/frames/{frame.pk}/characters/", {"add": "Rin"})
        assert answer.status_code in (403, 404)
        assert client.get(f"/c/{frame.collection_id}/characters/tags/").status_code in (403, 404)
    assert not FrameCharacter.objects.filter(origin="person").exists()


def test_the_faces_page_offers_names_of_files_first(frame: Frame, page_as: Any, alice: User) -> None:
    cluster = FaceCluster.objects.create(collection=frame.collection, number=1, size=3, purity=0.9)
    Face.objects.filter(frame__index__gt=0).update(cluster=cluster)
    miku = Character.objects.get(name="Miku")
    for other in Frame.objects.filter(index__gt=0):
        FrameCharacter.objects.create(frame=other, character=miku, origin="tagger", score=0.9)
    page = page_as(alice, f"/c/{frame.collection_id}/faces/")
    chip = page.locator("[data-cluster] [data-take-guess]").first
    assert chip.inner_text() == "from files and tags: Miku 3"
    loose = page.locator("[data-take-faces]")
    assert loose.all_inner_texts() == ["Kotegawa Yui 2", "Miku 2"]
    shoot(page, "faces")
    loose.first.click()
    assert page.locator("form.loose input[name=face]:checked").count() == 2
    assert page.get_by_label("Name of the selected faces").input_value() == "Kotegawa Yui"
    chip.click()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=3 faces named Miku")
    assert set(Face.objects.filter(cluster=cluster).values_list("character__name", flat=True)) == {"Miku"}


def test_a_tag_that_is_nobody_of_the_cast_is_said_to_be_somebody(
    frame: Frame, page_as: Any, alice: User, run: Any
) -> None:
    page = page_as(alice, f"/c/{frame.collection_id}/characters/")
    row = page.locator(".name-tags li")
    assert row.inner_text().startswith("hatsune miku 3")
    shoot(page, "characters")
    row.locator("input[name=name]").fill("Miku")
    row.get_by_role("button", name="Add").click()
    page.wait_for_selector("text=Miku is also called hatsune_miku")
    assert page.locator(".name-tags").count() == 0
    run(frame.episode, "names")
    assert Face.objects.filter(character__name="Miku", named_by="autotag").count() == 3


def test_the_page_of_the_episode_tells_of_text_that_was_not_used(frame: Frame, as_alice: Client) -> None:
    frame.episode.source.kind = "pictures"
    frame.episode.source.save()
    page = html_of(as_alice.get(f"/c/{frame.collection_id}/episodes/{frame.episode_id}/"))
    assert "1 picture with unrecognized or unused tag file text" in page
    html = html_of(as_alice.get(f"/c/{frame.collection_id}/frames/?q=episode:{frame.episode_id}+is:unread"))
    assert html.count('class="tile"') == 1
