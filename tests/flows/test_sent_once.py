"""A double click in a real browser: one box, one character, and an answer whose reply never came is done once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotate.models import Character
from ingest.models import Operation
from tests.annotate.views.conftest import Show

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_a_double_click_makes_one_character(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, reverse("characters", args=[show.collection.pk]))
    page.get_by_label("Name of the new character").fill("Zed")
    before = Operation.objects.count()
    page.evaluate(
        "const f = document.querySelector('form[action$=\"/create/\"]'); f.requestSubmit(); f.requestSubmit();"
    )
    page.locator("#toasts .toast", has_text="Zed is in the cast now").wait_for()
    assert Character.objects.filter(name="Zed").count() == 1
    assert Operation.objects.count() == before + 1


def test_an_answer_that_came_but_whose_reply_was_lost_is_not_done_twice(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, reverse("frame", args=[show.collection.pk, show.frames[0].pk]))
    lost = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch())  # the server does it
            route.abort()
        else:
            route.continue_()

    page.route("**/tags/", lose)
    page.get_by_label("Add a tag", exact=True).fill("smile")
    page.keyboard.press("Enter")
    page.locator("#toasts .toast.error").wait_for()
    assert lost[0].status == 200
    count = Operation.objects.count()
    page.get_by_label("Add a tag", exact=True).press("Enter")
    page.locator("#toasts .toast", has_text="Already done").wait_for()
    assert Operation.objects.count() == count
