"""The export bench in a real browser: the result follows the sliders, chips are moved, the dataset is made."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from export.models import Recipe as RecipeRow
from tests.export.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_result_follows_a_weight_a_chip_and_a_probability_without_loading_the_page(
    show: Show, alice: User, page_as: Any, queues: str
) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1}})
    RecipeRow.objects.create(collection=show.collection, name="Mine", params=recipe.as_dict())
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.evaluate("window.same = true")

    page.locator("tr", has_text="others").hover()
    page.locator("[data-weigh=others]").click()
    row = page.locator(".weight")
    row.locator("[data-log]").fill("1.0")
    page.locator("#result .badge", has_text="×10").first.wait_for()
    assert row.locator("[name='weight.value']").input_value() == "10"

    page.locator(".sortable li", has_text="Face height").get_by_label("Face height up").click()
    page.locator("#result .tree tbody tr:nth-child(2)", has_text="face_height_ratio").wait_for()

    page.locator("[name='caption.tags_prob']").fill("0")
    page.locator(".captions", has_text="smile").wait_for(state="detached")
    page.locator("[data-drop]").click()
    page.locator("#result .badge").first.wait_for(state="detached")
    assert page.evaluate("window.same")


def test_a_data_set_is_made_watched_and_downloaded(show: Show, alice: User, page_as: Any, queues: str) -> None:
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.locator("[name=name]").fill("Evening set")
    page.locator("button[value=start]").click()
    page.wait_for_url("**/exports/")
    page.get_by_text("Waiting for a worker").wait_for()

    export_job.execute(ExportJob.objects.get().pk)

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.startswith("Evening set")
    assert download.value.path().stat().st_size > 10_000


def test_back_shows_the_whole_page_after_its_list_was_fetched_again(
    show: Show, alice: User, page_as: Any, queues: str
) -> None:
    ExportJob.objects.create(collection=show.collection, name="Waiting")
    page = page_as(alice, reverse("exports", args=[show.collection.pk]))
    with page.expect_response(lambda response: "hx-target" in response.request.headers):
        page.get_by_text("Waiting for a worker").wait_for()
    page.wait_for_timeout(500)
    page.goto(page.url.replace("/exports/", "/history/"))
    page.go_back()
    page.get_by_text("Waiting for a worker").wait_for()
    assert page.locator("nav").count() == 1
