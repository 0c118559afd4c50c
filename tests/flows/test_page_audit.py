"""What screen readers, and eyes that do not see colours, need on every page; and that the audit notices when it is
missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from ingest.models import PipelineRun
from tests.flows.addresses import page_addresses

if TYPE_CHECKING:
    from tests.annotate.views.conftest import Show

AUDIT = Path(__file__).with_name("page_audit.js").read_text(encoding="utf-8")
TARGET = 24  # pixels, WCAG 2.2 AA

FAULTS = {
    "a link around a picture without a text": (
        '<a class="strip" href="/e/1/" tabindex="-1"><img src="/s.jpg" alt=""></a>',
        "no name: <a",
    ),
    "a mark of a drawing as a link": (
        '<svg><a href="/f/1/"><rect width="9" height="9"></rect></a></svg>',
        "no name: <a",
    ),
    "a field without a label": ("<input name=q>", "no name: <input"),
    "a hidden link that takes the focus": (
        '<a href="/e/1/" aria-hidden="true">EP01</a>',
        "in the tab order though hidden from screen readers: <a",
    ),
    "links in a drawing that is read as one picture": (
        '<svg role="img" aria-label="Aoi"><a href="/f/1/" aria-label="frame"><rect></rect></a></svg>',
        "a control in a control: <a",
    ),
    "a button in a link": ('<a href="/e/1/">EP01 <button>Run</button></a>', "a control in a control: <button"),
    "a column without a heading": (
        "<table><tr><th>When</th><th></th></tr></table>",
        "no words in a head of a table: <th>",
    ),
    "two searches of one name": (
        '<form role="search">Find</form><form role="search">Find</form>',
        'another landmark of this name: <form role="search"',
    ),
    "a link that only its colour tells from the words around": (
        '<p>Runs find faces. <a style="text-decoration: none" href="/compare/">Compare models</a></p>',
        "a link in a sentence without an underline: <a",
    ),
}
CLEAR = """
  <a href="/e/1/" tabindex="-1" aria-hidden="true"><img src="/s.jpg" alt=""></a>
  <a href="/e/1/"><img src="/s.jpg" alt="EP01"></a><a class="link" href="/e/2/" style="text-decoration: none">EP02</a>
  <svg role="img" aria-label="Aoi: 3 frames"><path d="M0 0h9v9z"></path></svg>
  <label>Name <input name="name"></label>
  <table><tr><th>When</th><th><span class="visually-hidden">Undo</span></th></tr></table>
  <form role="search" aria-label="Filter frames"></form><form role="search" aria-label="Filter tags"></form>
  <p>Runs find faces. <a href="/compare/">Compare models</a></p>
"""
NARROW = '<a href="/t/" style="display: inline-block; width: 60px">solo</a><button style="all: unset">✕</button>'


def audit(page: Any, call: str) -> list[str]:
    """What one function of the audit finds on the page."""
    lines: list[str] = page.evaluate(f"(() => {{ const page = {AUDIT}; return page.{call}; }})()")
    return lines


@pytest.mark.parametrize("fault", FAULTS)
def test_the_audit_names_each_fault(browser: Any, fault: str) -> None:
    html, told = FAULTS[fault]
    page = browser.context.new_page()
    page.set_content(html)
    assert any(line.startswith(told) for line in audit(page, "unclear()"))


def test_the_audit_is_content_with_named_underlined_and_single_things(browser: Any) -> None:
    page = browser.context.new_page()
    page.set_content(CLEAR)
    assert audit(page, "unclear()") == []


def test_a_small_control_needs_room_around_it(browser: Any) -> None:
    page = browser.context.new_page()
    page.set_content(NARROW)
    assert [line[:7] for line in audit(page, f"crowded({TARGET})")] == ["<button"]
    page.set_content(NARROW.replace("all: unset", "all: unset; margin-left: 20px"))
    assert audit(page, f"crowded({TARGET})") == []


@pytest.mark.django_db(transaction=True)
def test_every_page_is_clear_to_a_screen_reader(
    page_as: Any, live_server: Any, show: Show, alice: User, settings: Any, tmp_path: Path
) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    (tmp_path / "films" / "one").mkdir(parents=True)
    settings.KOMA_LIBRARY_DIRS = [tmp_path / "films"]
    run = PipelineRun.objects.create(collection=show.collection, created_by=alice, code_version="1", state="done")
    page = page_as(alice)
    page.set_viewport_size({"width": 1440, "height": 900})
    wrong = []
    for address in page_addresses(show, run):
        page.goto(live_server.url + address)
        page.wait_for_load_state("networkidle")
        wrong += [f"{address}: {text}" for text in audit(page, "unclear()")]
        wrong += [f"{address}: crowded: {text}" for text in audit(page, f"crowded({TARGET})")]
    assert not wrong, "\n".join(wrong)
