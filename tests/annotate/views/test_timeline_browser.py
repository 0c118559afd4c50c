"""The timeline under a pointer, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.annotate.views.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_mark_shows_its_still_and_a_press_opens_its_frame(show: Show, bob: User, page_as: Any) -> None:
    page = page_as(bob, reverse("episode", args=[show.collection.pk, show.episode.pk]))
    lane = page.locator('svg[aria-label^="kept"]')
    box = lane.bounding_box()
    frame = show.frames[3]
    left, width = ((frame.time_s + 0.2) / 3.4, box["width"])  # the frames end at 3.4 s
    picture = reverse("file", args=[show.collection.pk, frame.preview])
    with page.expect_response(lambda answer: answer.url.endswith(picture)) as answer:
        page.mouse.move(box["x"] + left * width, box["y"] + 10)
    assert answer.value.status == 200
    assert reverse("frame_still", args=[show.collection.pk, frame.pk]) in page.locator(
        "[data-scrub-img]"
    ).get_attribute("src")
    assert page.locator("[data-scrub-text]").inner_text() == "00:01.5"
    page.mouse.click(box["x"] + left * width, box["y"] + 10)
    page.wait_for_url(f"**{reverse('frame', args=[show.collection.pk, frame.pk])}")
