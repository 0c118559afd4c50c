"""The list of captions in a browser: by keyboard, offline, and by two people at once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from annotate.models import Caption
from tests.flows.visitor import Visitor

if TYPE_CHECKING:
    from tests.annotate.views.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)

SLOW_S = 1.5


def opened(visitor: Visitor, show: Show) -> Any:
    visitor.page.goto(f"{visitor.address}/c/{show.collection.pk}/captions/")
    visitor.page.wait_for_load_state("networkidle")
    return visitor.page


def field(page: Any, show: Show, index: int) -> Any:
    return page.locator(f"#caption-{show.frames[index].pk}")


def is_focused(page: Any, show: Show, index: int) -> bool:
    return bool(field(page, show, index).evaluate("field => field === document.activeElement"))


def texts() -> dict[int, str]:
    return dict(Caption.objects.values_list("frame__index", "text"))


def test_captions_are_written_one_after_the_other_by_keyboard(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    first.press("c")
    assert is_focused(page, show, 0)
    field(page, show, 0).fill("first caption")
    first.press("Enter")
    assert is_focused(page, show, 1)
    first.toast("Caption added").wait_for()
    assert is_focused(page, show, 1)
    first.press("ArrowDown")
    assert is_focused(page, show, 2)
    first.press("ArrowUp")
    assert is_focused(page, show, 1)
    first.press("Alt+c")
    assert field(page, show, 1).input_value() == "first caption"
    page.keyboard.insert_text(" again")
    first.press("Enter")
    first.toast("Caption added").wait_for()
    assert texts() == {0: "first caption", 1: "first caption again"}
    row = page.locator("tr", has=field(page, show, 1))
    assert "custom, by alice" in row.inner_text()
    assert "about 3 tokens" in row.inner_text()
    recipes = field(page, show, 2).input_value()
    assert recipes
    field(page, show, 2).fill("word " * 80)
    warned = page.locator("tr", has=field(page, show, 2)).locator("output.over")
    assert warned.inner_text() == "about 80 tokens, over 75"
    field(page, show, 2).fill("")
    page.locator("h1").click()
    first.toast("The recipe's caption is used").wait_for()
    assert field(page, show, 2).input_value() == recipes  # an emptied one goes back to it
    first.press("z")
    first.toast("Undone: Caption added").wait_for()
    assert texts() == {0: "first caption"}


def test_two_people_who_write_one_caption_see_both_answers(first: Visitor, second: Visitor, show: Show) -> None:
    second.refusals_meant = True
    pages = opened(first, show), opened(second, show)
    field(pages[0], show, 0).fill("hers")
    first.press("Enter")
    first.toast("Caption added").wait_for()
    field(pages[1], show, 0).fill("his")
    second.press("Enter")
    dialog = pages[1].locator("#both[open]")
    dialog.wait_for()
    words = dialog.inner_text()
    assert "alice changed the caption" in words
    assert "hers" in words
    assert "his" in words
    assert texts() == {0: "hers"}
    dialog.get_by_role("button", name="Use mine").click()
    second.toast("Caption changed").wait_for()
    assert texts() == {0: "his"}


def test_a_caption_that_could_not_be_sent_is_kept_and_sent_again(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    first.context.set_offline(True)
    field(page, show, 0).fill("kept")
    first.press("Enter")
    page.get_by_text("1 answer could not be sent").wait_for()
    first.context.set_offline(False)
    first.problems.clear()
    page.get_by_role("button", name="Send again").click()
    first.toast("1 answer sent").wait_for()
    assert texts() == {0: "kept"}


def test_selected_captions_are_changed_after_a_dry_run(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    page.get_by_label("Select all captions on this page").check()
    page.get_by_label("Text").fill("a screenshot, ")
    page.get_by_role("button", name="Put before…").click()
    page.get_by_role("heading", name="Change 6 captions?").wait_for()
    assert texts() == {}
    page.get_by_role("button", name="Change 6 captions").click()
    first.toast("6 captions changed").wait_for()
    assert all(text.startswith("a screenshot,") for text in texts().values())
    assert len(texts()) == 6
    first.press("z")
    first.toast("Undone: 6 captions changed").wait_for()
    assert texts() == {}


def test_a_change_that_takes_longer_than_a_second_says_so_on_its_button(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    page.get_by_label("All 6 frames").check()
    page.get_by_label("Text").fill("x, ")
    # The browser is on its way to the next page, so what this one shows is noted from inside.
    page.evaluate(
        """() => new MutationObserver(() => {
          const button = document.querySelector("[aria-busy=true]");
          if (button) sessionStorage.setItem("busy", button.textContent);
        }).observe(document.body, {subtree: true, attributes: true, childList: true})"""
    )
    page.route("**/captions/preview/", lambda route: (time.sleep(SLOW_S), route.continue_()))
    page.get_by_role("button", name="Put before").click()
    page.get_by_role("heading", name="Change 6 captions?").wait_for()
    assert page.evaluate("sessionStorage.getItem('busy')") == "Reading captions…"
