"""The export bench in a real browser: the result follows the sliders, chips are moved, the dataset is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from export.models import Recipe as RecipeRow
from tests.export.conftest import Show
from tests.flows.dataset import DataSet

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_result_follows_a_weight_a_chip_and_a_probability_without_loading_the_page(
    show: Show, alice: User, page_as: Any, queues: str
) -> None:
    recipe = parse({"arrange": {"min_per_combination": 1}})
    RecipeRow.objects.create(collection=show.collection, name="Mine", params=recipe.as_dict())
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.evaluate("window.same = true")
    page.locator("#advanced > summary").click()

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


def test_the_fold_stays_as_it_was_left_and_a_preset_drops_what_was_typed(
    show: Show, alice: User, page_as: Any, queues: str
) -> None:
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    most = page.locator("[name='selection.max_faces']")
    assert not most.is_visible()
    page.locator("#advanced > summary").press("Enter")
    most.fill("9")
    page.reload()
    most.locator("visible=true").wait_for()
    assert most.input_value() == "9"  # typed, and not sent yet

    page.keyboard.press("1")
    page.wait_for_url("**?preset=character-lora")
    most.locator("visible=true").wait_for()
    assert most.input_value() == "1"
    page.locator(".preset[aria-current]", has_text="Character LoRA").wait_for()


def test_a_minimum_and_a_cap_are_set_in_place(show: Show, alice: User, page_as: Any, queues: str) -> None:
    recipe = parse({"balance": {"weights": [["2_characters", 40]], "max_multiply": 1000}})
    RecipeRow.objects.create(collection=show.collection, name="Mine", params=recipe.as_dict())
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.evaluate("window.same = true")

    page.locator("#result button", has_text="Use 2").click()
    page.locator("#result .tree td", has_text="Hinata+Kokona").wait_for()
    assert page.locator("[name='arrange.min_per_combination']").input_value() == "2"
    cap = page.locator("#result button", has_text="Cap repeats at")
    cap.click()
    cap.wait_for(state="detached")
    assert 1 <= float(page.locator("[name='balance.max_multiply']").input_value()) < 1000
    assert page.evaluate("window.same")


def test_a_wrong_tag_is_removed_from_its_caption_by_the_keyboard(
    show: Show, alice: User, page_as: Any, queues: str
) -> None:
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.evaluate("window.same = true")
    smiles = page.locator("[data-caption-tag=smile]")
    assert smiles.count() == 10

    smiles.first.press("Enter")
    menu = page.locator("#tag-menu")
    menu.get_by_role("button", name="from this picture").locator("visible=true").wait_for()
    page.keyboard.press("Enter")
    page.locator("#toasts", has_text="-smile on 1 frame").wait_for()
    page.wait_for_function("() => document.querySelectorAll('[data-caption-tag=smile]').length === 9")
    assert not menu.is_visible()

    smiles.first.press("Enter")
    menu.get_by_role("button", name="from the whole collection").click()
    smiles.first.wait_for(state="detached")
    assert page.evaluate("window.same")


def test_a_character_lora_is_made_from_its_preset_alone(
    show: Show, alice: User, page_as: Any, queues: str, tmp_path: Path
) -> None:
    page = page_as(alice, reverse("export", args=[show.collection.pk]))
    page.keyboard.press("1")
    page.wait_for_url("**?preset=character-lora")
    page.keyboard.press("Enter")
    page.wait_for_url("**/exports/")
    export_job.execute(ExportJob.objects.get().pk)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "made.zip")

    made = DataSet.of_zip(tmp_path / "made.zip")
    folders = {picture.split("/")[0].partition("_")[2] for picture in made.pictures}
    assert folders == {"Hinata", "Kokona", "character_others"}  # Hinata Hairdown has one picture
    for picture in made.pictures:
        (name,) = made.facts(picture)["character"]
        assert picture.split("/")[0].partition("_")[2] in (name, "character_others")
        assert made.caption(picture) == f"{name}, 1girl, smile"
    assert len(made.pictures) == 6
    assert RecipeRow.objects.get().name == "Character LoRA"
