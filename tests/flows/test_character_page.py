"""The page of a character in a browser."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from annotate.models import Face, NamedBy
from tests.annotate.views.conftest import Show

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def test_the_actions_are_there_only_while_a_face_is_selected(show: Show, alice: User, page_as: Any) -> None:
    Face.objects.filter(pk=show.faces[0].pk).update(character=show.hinata, named_by=NamedBy.PERSON, confidence=None)
    page = page_as(alice, reverse("character", args=[show.collection.pk, show.hinata.pk]))
    bar, face = page.locator("[data-actions]"), page.locator("[data-faces] input[type=checkbox]").first
    bar.wait_for(state="hidden")
    assert page.locator("[data-limit]").count() == 0  # a person named them all
    face.check()
    bar.wait_for()
    face.uncheck()
    bar.wait_for(state="hidden")


def test_what_is_rarely_needed_is_folded_until_a_merge_is_previewed(show: Show, alice: User, page_as: Any) -> None:
    address = reverse("character", args=[show.collection.pk, show.hinata.pk])
    page = page_as(alice, address)
    merge = page.get_by_label("Merge into")
    assert not merge.is_visible()
    page.get_by_text("Same as another character").click()
    merge.wait_for()
