"""The faces page at the keyboard: every key that it lists works, and it says what is next."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotate.actions import clusters
from annotate.models import Face
from tests.annotate.views.conftest import Show
from tests.flows.visitor import Visitor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]

CURRENT = "[data-cluster][data-current]"


def opened(visitor: Visitor, show: Show) -> Any:
    visitor.page.goto(visitor.address + reverse("faces", args=[show.collection.pk]))
    visitor.page.locator(f"{CURRENT} input[name=name]:focus").wait_for()
    return visitor.page


def test_the_keys_between_groups_work_outside_of_fields_and_all_keys_are_listed(show: Show, first: Visitor) -> None:
    page = opened(first, show)
    second_row = page.locator("[data-cluster]").nth(1)
    first.press("Escape")
    first.press("j")
    assert second_row.locator("input[name=name]:focus").count() == 1
    first.press("Escape")
    first.press("k")
    assert page.locator("[data-cluster]").nth(0).locator("input[name=name]:focus").count() == 1
    first.press("Escape")
    first.press("?")
    keys = page.locator("#help [data-keys]").inner_text()
    for help_text in ("next group", "previous group", "skip to the next group", "not faces", "name the group"):
        assert help_text in keys


def test_the_key_list_names_the_character_with_key_1_and_the_keys_of_the_rest(
    show: Show, alice: User, first: Visitor
) -> None:
    clusters.name(collection=show.collection, cluster=show.clusters[0], character="Aoi", by=alice)
    page = opened(first, show)
    first.press("Escape")
    first.press("?")
    lines = page.locator("#help [data-keys] > span").all_inner_texts()
    listed = list(zip(map(str.strip, lines[::2]), map(str.strip, lines[1::2]), strict=True))
    assert ("1", "Aoi") in listed
    of_the_rest = [keys for keys, text in listed if text.startswith("on a face of “Name the rest”")]
    assert of_the_rest == ["1 to 9", "Backspace"]


def names_with_keys(page: Any) -> list[str]:
    rows = page.locator("#cast [data-cast-name]")
    return [" ".join(text.split()) for text in rows.all_inner_texts()]


def test_the_cast_keeps_its_keys_while_its_counts_change(show: Show, first: Visitor) -> None:
    page = opened(first, show)
    page.keyboard.insert_text("Aoi")
    first.press("Enter")
    page.locator("#cast [data-cast-name=Aoi]").wait_for()
    assert names_with_keys(page) == ["1 Aoi 3", "KuraueHinata 0"]
    page.keyboard.insert_text("KuraueHinata")
    first.press("Enter")
    page.locator("#cast [data-cast-name=KuraueHinata] kbd").wait_for()
    assert names_with_keys(page) == ["1 Aoi 3", "2 KuraueHinata 3"]


def test_after_the_last_group_come_the_ungrouped_faces_and_then_what_is_next(show: Show, first: Visitor) -> None:
    Face.objects.filter(cluster=show.clusters[1]).update(cluster=None)
    page = opened(first, show)
    suggest = page.get_by_role("button", name="Name the rest")
    assert not suggest.is_visible()
    page.keyboard.insert_text("Aoi")
    first.press("Enter")
    suggest.wait_for()

    loose = page.locator("form.loose")
    loose.locator("input[name=face]:focus").wait_for()
    first.press("Space")
    loose.locator("input[name=name]").focus()
    first.press("1")  # Aoi
    first.press("Enter")
    first.toast("1 face named Aoi")
    assert loose.locator("input[name=name]").input_value() == ""
    assert "2 faces" in page.locator("#summary").inner_text()

    assert not page.get_by_role("heading", name="All faces are named").is_visible()
    for box in loose.locator("input[name=face]").all():
        box.check()
    loose.get_by_role("button", name="Not in the cast").click()
    page.get_by_role("heading", name="All faces are named").wait_for()
    assert not loose.is_visible()
    assert not suggest.is_visible()
