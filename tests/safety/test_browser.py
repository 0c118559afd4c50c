"""What only a real browser shows: where an ended session leads, and that a hostile name runs nowhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from tests.conftest import PASSWORD
from tests.safety.conftest import World, build

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_session_that_ends_while_one_works_leads_through_the_login_back_to_the_page(
    world: World, alice: User, page_as: Any
) -> None:
    page = page_as(alice, world.address("frames") + "?q=state:all")
    Session.objects.all().delete()
    page.keyboard.press("z")  # undo, by htmx
    page.wait_for_url(re.compile(r"/login/\?next="))
    page.fill("input[name=username]", "alice")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url(re.compile(re.escape(world.address("frames")) + r"\?q=state"))
    assert page.locator("input[name=password]").count() == 0


def test_hostile_names_run_nowhere(db: None, collection: Any, alice: User, page_as: Any) -> None:
    text = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    world = build(collection, alice, shade=40, text=text)
    page = page_as(alice, world.address("overview"))
    for name in ("frames", "faces", "characters", "character", "episode", "frame", "runs", "exports", "history"):
        page.goto(page.url.split("/c/")[0] + world.address(name))
        assert page.title() != "owned", name
        assert page.locator("main img[src=x]").count() == 0, name
    # A toast from a header is text as well.
    page.goto(page.url.split("/c/")[0] + world.address("frame"))
    page.evaluate(
        "([url, name]) => htmx.ajax('POST', url, {values: {act: 'rename', name, version: 1}, swap: 'none'})",
        [world.address("character_change"), text.replace("owned", "again")[:190]],
    )
    toast = page.locator("#toasts .toast").first
    toast.wait_for()
    assert "<img src=x" in toast.inner_text()
    assert page.title() != "again"
