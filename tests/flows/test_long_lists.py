"""Lists that are too long to look through: a field finds what is meant, and choosing all means what is shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.models import Character
from ingest.models import Collection, Episode, Source

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_character_is_found_by_a_part_of_the_name_and_few_need_no_field(
    page_as: Any, alice: User, collection: Collection
) -> None:
    for number in range(12):
        Character.objects.create(collection=collection, name=f"Person {number:02d}")
    page = page_as(alice, f"/c/{collection.pk}/characters/")
    assert not page.locator("[data-filter]").is_visible()
    Character.objects.create(collection=collection, name="蔵井戸 Hinata")
    page.reload()
    page.keyboard.press("f")
    page.keyboard.type("hina 蔵")
    assert page.locator(".card:visible").all_inner_texts()[0].startswith("蔵井戸 Hinata")
    assert page.locator(".card:visible").count() == 1
    assert page.locator(".find output").inner_text() == "1 of 13"
    page.keyboard.press("Escape")
    assert page.locator(".card:visible").count() == 13


def test_of_many_episodes_those_that_are_shown_are_chosen_at_once(
    page_as: Any, alice: User, collection: Collection
) -> None:
    for number in range(300):
        source = Source.objects.create(collection=collection, kind="video", name=f"{number}.mkv", sha256=str(number))
        Episode.objects.create(collection=collection, source=source, title="x", number=f"{number:03d}", duration_s=60)
    page = page_as(alice, f"/c/{collection.pk}/runs/start/")
    page.wait_for_selector("text=300 episodes: about")  # more than fit into an address
    page.keyboard.press("a")
    page.wait_for_selector("text=Choose episodes and stages")
    page.keyboard.press("f")
    page.keyboard.type("EP01")
    page.keyboard.press("Enter")  # finds, and starts nothing
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.keyboard.type("EP29")
    page.locator("[data-all]").click()
    page.wait_for_selector("text=10 episodes: about")
    assert page.locator("[name=episode]:checked").count() == 10
    assert page.locator("[data-all]").inner_text().startswith("Select all shown or none")
    assert page.locator("[data-chosen]").inner_text() == "10 chosen"
    page.locator("[data-filter]").fill("EP291")
    assert page.locator("[data-chosen]").inner_text() == "10 chosen, 9 of them not shown"
    page.keyboard.press("Escape")
    assert page.locator("[data-all]").inner_text().startswith("Select all or none")


def test_the_bar_with_the_button_covers_no_control_that_has_the_focus(
    page_as: Any, alice: User, collection: Collection
) -> None:
    source = Source.objects.create(collection=collection, kind="video", name="1.mkv", sha256="1")
    Episode.objects.create(collection=collection, source=source, title="x", number="01", duration_s=60)
    page = page_as(alice, f"/c/{collection.pk}/runs/start/")
    page.get_by_text("Stages and settings").click()
    for width, height in ((1280, 700), (390, 700)):
        page.set_viewport_size({"width": width, "height": height})
        for field in page.locator(".stage-choice [name=stage]").all():
            field.focus()
            bar = page.locator(".start-bar").bounding_box()["y"]
            box = field.bounding_box()
            assert box["y"] + box["height"] <= bar
