"""Typing that was not sent is never lost, and never shown to anybody else."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.urls import reverse

from annotate.models import Caption, Character, Face, FrameTag
from tests.annotate.views.conftest import Show
from tests.conftest import PASSWORD, client_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


def frame_of(show: Show, number: int = 0) -> str:
    return reverse("frame", args=[show.collection.pk, show.frames[number].pk])


def log_in(page: Any, name: str) -> None:
    page.fill("input[name=username]", name)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.primary")


def test_an_answer_never_overwrites_what_was_typed_and_not_sent(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, frame_of(show))
    caption, name = page.get_by_label("Custom caption"), page.get_by_label("Name of face 1")
    caption.fill("half a sentence")
    name.fill("Zed")
    page.get_by_label("Add a tag", exact=True).fill("smile")
    page.keyboard.press("Enter")
    page.locator("#labels .tag-list li", has_text="smile").wait_for()
    assert caption.input_value() == "half a sentence"
    assert name.input_value() == "Zed"
    assert page.get_by_label("Add a tag", exact=True).input_value() == ""  # that one was sent
    caption.focus()
    page.get_by_role("button", name="Save caption").click()
    page.locator("#toasts .toast", has_text="Caption added").wait_for()
    assert Caption.objects.get(frame=show.frames[0]).text == "half a sentence"
    page.reload()
    assert caption.input_value() == "half a sentence"
    assert caption.get_attribute("data-unsent") is None
    assert name.get_attribute("data-unsent") == ""
    assert name.input_value() == "Zed"


def test_leaving_and_coming_back_keeps_it_and_sending_ends_it(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, frame_of(show))
    page.get_by_label("Custom caption").fill("typed on the first frame")
    page.goto(page.url.split("/c/")[0] + frame_of(show, 1))
    assert page.get_by_label("Custom caption").input_value() == ""
    page.goto(page.url.split("/c/")[0] + reverse("characters", args=[show.collection.pk]))
    page.get_by_label("Name of the new character").fill("Zed")
    page.goto(page.url.split("/c/")[0] + frame_of(show))
    assert page.get_by_label("Custom caption").input_value() == "typed on the first frame"
    page.goto(page.url.split("/c/")[0] + reverse("characters", args=[show.collection.pk]))
    field = page.get_by_label("Name of the new character")
    assert field.input_value() == "Zed"
    field.press("Enter")  # a plain form
    page.locator("#toasts .toast", has_text="Zed is in the cast now").wait_for()
    assert field.input_value() == ""
    field.fill(show.hinata.name)
    field.press("Enter")  # refused: the name is taken
    page.locator("#toasts .toast.error").wait_for()
    assert field.input_value() == show.hinata.name


def test_after_a_session_ended_and_a_login_typing_and_choice_are_back(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, frame_of(show))
    page.get_by_label("Custom caption").fill("written in peace")
    page.get_by_label("Name of face 1").fill("Zed")
    Session.objects.all().delete()
    page.get_by_label("Name of face 1").press("Enter")
    page.wait_for_url(re.compile(r"/login/\?next="))
    log_in(page, "alice")
    page.wait_for_url(re.compile(re.escape(frame_of(show))))
    assert page.get_by_label("Custom caption").input_value() == "written in peace"
    assert page.get_by_label("Name of face 1").input_value() == "Zed"
    assert not Character.objects.filter(name="Zed").exists()
    bar = page.locator("#unsent")
    assert "1 answer could not be sent" in bar.inner_text()
    bar.get_by_role("button", name="Send again").click()
    page.locator("#toasts .toast", has_text="1 answer sent").wait_for()
    assert Face.objects.get(pk=show.faces[0].pk).character.name == "Zed"  # type: ignore[union-attr]
    assert not bar.is_visible()
    assert page.get_by_label("Custom caption").input_value() == "written in peace"


@pytest.mark.parametrize("outage", ["no line", "503"])
def test_an_answer_that_could_not_be_sent_waits_and_is_sent_once(
    show: Show, alice: User, page_as: Any, outage: str
) -> None:
    page = page_as(alice, frame_of(show))
    page.route("**/tags/", lambda route: route.abort() if outage == "no line" else route.fulfill(status=503, body=""))
    page.get_by_label("Add a tag", exact=True).fill("smile")
    page.keyboard.press("Enter")
    bar = page.locator("#unsent")
    bar.wait_for()
    page.get_by_role("button", name="Send again").click()  # still away
    page.locator("#toasts .toast.error", has_text="kept").wait_for()
    assert bar.is_visible()
    page.unroute("**/tags/")
    page.goto(page.url.split("/c/")[0] + reverse("overview", args=[show.collection.pk]))
    bar.wait_for()  # on any page
    bar.get_by_role("button", name="Send again").click()
    page.locator("#toasts .toast", has_text="1 answer sent").wait_for()
    assert FrameTag.objects.filter(frame=show.frames[0], tag__name="smile", state="yes").exists()
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('koma.unsent')).length") == 0


def test_another_person_at_the_same_browser_sees_nothing_of_it(
    show: Show, alice: User, bob: User, page_as: Any
) -> None:
    page = page_as(alice, frame_of(show))
    page.get_by_label("Custom caption").fill("for my eyes")
    page.context.clear_cookies()
    cookie = client_of(bob).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": page.url.split("/c/")[0]}])
    page.reload()
    assert "bob" in page.locator("header.top").inner_text()
    assert page.get_by_label("Custom caption").input_value() == ""
    assert "for my eyes" not in page.content()


def test_passwords_are_never_kept(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, reverse("password_change"))
    for field in page.locator("input[type=password]").all():
        field.fill("correct horse 8 battery")
    page.context.clear_cookies()
    page.goto(page.url)
    page.fill("input[name=username]", "alice")
    page.fill("input[name=password]", PASSWORD)
    assert page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})").count("horse") == 0


def test_a_draft_begun_before_somebody_else_wrote_shows_both(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, frame_of(show))
    page.get_by_label("Custom caption").fill("mine, begun early")
    Caption.objects.create(frame=show.frames[0], text="theirs, written meanwhile")
    page.reload()
    assert page.get_by_label("Custom caption").input_value() == "mine, begun early"
    page.get_by_role("button", name="Save caption").click()
    dialog = page.locator("dialog#both")
    dialog.get_by_text("theirs, written meanwhile").wait_for()
    dialog.get_by_role("link", name="Keep theirs").click()
    page.wait_for_function("document.querySelector('[name=text]').value === 'theirs, written meanwhile'")
    assert Caption.objects.get(frame=show.frames[0]).text == "theirs, written meanwhile"


def test_an_episode_is_edited_twice_from_one_page(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, reverse("add_episodes", args=[show.collection.pk]))
    for text in ("Yama", "Yama no Susume"):
        page.locator(".added-form").get_by_label("Series").fill(text)
        with page.expect_response("**/episodes/*/") as answer:
            page.keyboard.press("Tab")
        assert answer.value.status == 204
    show.episode.refresh_from_db()
    assert show.episode.series == "Yama no Susume"
