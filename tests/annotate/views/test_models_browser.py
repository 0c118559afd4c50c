"""The models page in a real browser: a download's progress moves by itself, can be stopped, and ends installed."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from annotate.backends.model_files import catalogue
from annotate.model_library import model_jobs as running
from annotate.models import ModelJob
from ingest.pipeline import claims
from tests.annotate.hub_server import FakeHub, serving
from tests.annotate.model_library.conftest import MODEL, REPOSITORY, TAGS, WEIGHTS

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_download_is_watched_stopped_and_gone_on_with(
    alice: Any, page_as: Any, settings: Any, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(catalogue.CATALOGUE, MODEL.name, MODEL)
    monkeypatch.setattr(claims, "REPORT_EVERY_S", 0.0)
    hub = FakeHub(pause=threading.Event())
    hub.add(REPOSITORY, "model.onnx", b"\x08\x08" + WEIGHTS)
    hub.add(REPOSITORY, "lists/tags.csv", TAGS)
    with serving(hub):
        settings.KOMA_HUB_URL = hub.base
        page = page_as(alice, "/models/?task=tags#tiny")  # folded away, but for its name in the address
        page.locator("#tiny").get_by_role("button", name="Download").click()
        page.get_by_text("waiting for a worker").wait_for()
        worker = threading.Thread(target=_work)
        worker.start()
        bar = page.get_by_role("progressbar", name="tiny")
        bar.wait_for()
        page.wait_for_function("Number(document.querySelector('[role=progressbar]').ariaValueNow) > 20")
        page.get_by_role("button", name="Stop").click()
        # A cancel is heard while the hub is silent, too: the job may have ended before the page asks again.
        page.get_by_text("stopping…").or_(page.get_by_role("button", name="Retry")).first.wait_for()
        assert hub.pause is not None
        hub.pause.set()
        worker.join(20)
        page.get_by_role("button", name="Retry").wait_for()
        page.get_by_role("button", name="Resume").wait_for()  # the page was loaded anew: the row knows of the part
        page.get_by_role("button", name="Resume").click()
        page.get_by_text("waiting for a worker").wait_for()
        _work()
        page.locator("#tiny .there").get_by_text("installed").wait_for()
        page.locator("#tiny summary", has_text="Remove").click()
        page.locator("#tiny").get_by_label("Confirm").check()
        page.locator("#tiny").get_by_role("button", name="Remove", exact=True).click()
        page.get_by_text("tiny removed").wait_for()
        page.locator("#tiny").get_by_role("button", name="Download").wait_for()


def test_a_model_is_found_by_words_over_all_tasks_and_by_its_tab(alice: Any, page_as: Any) -> None:
    page = page_as(alice, "/models/?task=tags")
    page.keyboard.press("f")
    page.keyboard.type("built-in small")
    page.keyboard.press("Enter")
    page.locator("#faces-builtin-small").wait_for()
    assert [item.get_attribute("id") for item in page.locator(".models > li:visible").all()] == ["faces-builtin-small"]
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("link", name="Upscaling").click()
    page.get_by_role("heading", name="Upscaling").wait_for()
    assert page.locator(".task-head:visible").count() == 1
    before = page.locator(".models > li:visible").count()
    page.locator("details.others > summary").click()
    assert page.locator(".models > li:visible").count() > before


def _work() -> None:
    try:
        running.execute(ModelJob.objects.latest("pk").pk)
    finally:
        if threading.current_thread() is not threading.main_thread():
            connection.close()
