"""The grid of frames in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from tests.annotate.views.conftest import Show

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def selected(page: Any) -> list[int]:
    boxes = page.locator("[data-tiles] input[type=checkbox]")
    return [index for index in range(boxes.count()) if boxes.nth(index).is_checked()]


def test_arrows_with_shift_select_the_frames_on_the_way(show: Show, bob: User, page_as: Any) -> None:
    page = page_as(bob, f"/c/{show.collection.pk}/frames/")
    page.locator("[data-tiles] .tile").nth(5).wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert selected(page) == []
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    assert selected(page) == [1, 2, 3]
    assert page.locator("[data-count]").inner_text() == "3"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    assert selected(page) == [1, 2, 3, 4]
