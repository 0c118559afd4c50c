"""The main job as a person does it: a film goes in through the page, a balanced, captioned dataset comes out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.flows.dataset import DataSet
from tests.flows.launched import Launched
from tests.flows.visitor import Visitor, visiting

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("flow"), pytest.mark.time_limit(900)]

NAMES = ("Hinata", "Kokona", "山田 <b>&", "Aoi", "Honoka", "Kaede")


def name_clusters(visitor: Visitor, most: int) -> dict[str, int]:
    """Name clusters from the top without the mouse; returns how many faces each name was given."""
    page, values = visitor.page, {}
    visitor.rail("Faces")
    for name in NAMES[: min(most, page.locator("[data-cluster]").count())]:
        page.locator("[data-cluster][data-current] input[name=name]:focus").wait_for()
        row = page.locator("[data-cluster][data-current]")
        key = row.get_attribute("id")
        page.keyboard.insert_text(name)
        visitor.press("Enter")
        page.locator(f"#{key}.done").wait_for()
        tags = visitor.toast(f"named {name}").inner_text()
        values[name] = int(re.match(r"([\d,]+) face", tags).group(1).replace(",", ""))  # type: ignore[union-attr]
    assert values
    return values


def correct_a_frame(visitor: Visitor, name: str) -> None:
    """Open a frame of this character, draw a box, add a tag, take the tag back; the box stays."""
    page = visitor.page
    visitor.rail("Characters")
    page.get_by_role("link", name=name).first.click()
    page.get_by_role("heading", name=name).wait_for()
    visitor.rail("Frames")
    page.locator(".tile", has_text=name).first.locator("a").first.click()
    page.locator("#canvas .box", has_text=name).first.wait_for()
    page.wait_for_load_state()  # boxes show before the scripts that hear keys have run
    rows = page.locator("#labels [data-face-row]")
    before = rows.count()

    canvas = page.locator("#canvas").bounding_box()
    visitor.press("b")
    page.locator("#canvas.drawing").wait_for()
    page.mouse.move(canvas["x"] + 0.02 * canvas["width"], canvas["y"] + 0.75 * canvas["height"])
    page.mouse.down()
    page.mouse.move(canvas["x"] + 0.12 * canvas["width"], canvas["y"] + 0.95 * canvas["height"], steps=4)
    page.mouse.up()
    visitor.toast("Face drawn")
    assert rows.count() == before + 1
    page.locator("[data-face-row].current input[name=name]:focus").wait_for()
    visitor.leave_field()

    visitor.press("t")
    page.get_by_label("Add a tag", exact=True).locator("visible=true").first.wait_for()
    page.keyboard.insert_text("mountain_hut")
    visitor.press("Enter")
    tag = page.locator("#labels .tag-list li", has_text="mountain hut")
    tag.wait_for()
    page.wait_for_timeout(100)  # the answer settles, and gives the field the focus
    visitor.leave_field()
    visitor.press("z")
    tag.wait_for(state="detached")
    visitor.toast("Undone")
    page.locator("#labels [data-face-row]").nth(before).wait_for()


def export(visitor: Visitor, to: Path, *, of: str) -> tuple[DataSet, dict[str, float]]:
    """Set the recipe, weigh the first folder by a slider that the chart follows, create the dataset, download.

    Returns the dataset and the weight by the folder's name.
    """
    page = visitor.page
    visitor.rail("Export")
    page.locator("#advanced > summary").click()
    for label, value in (("Maximum multiplier", "100"), ("Minimum images per combination", "1")):
        with page.expect_response(lambda response: "/export/preview/" in response.url):
            page.get_by_label(label).fill(value)  # as the formula below has it
    page.locator("#result .tree", has_text=of).wait_for()
    button = page.locator("#result [data-weigh]").first
    folder = str(button.get_attribute("data-weigh"))
    button.dispatch_event("click")
    row, epoch = page.locator(".weight"), page.locator("#result .mix div").nth(1)
    before = epoch.inner_html()
    row.locator("[data-log]").fill("0.6")
    page.wait_for_function("old => document.querySelectorAll('#result .mix div')[1].innerHTML !== old", arg=before)
    weight = float(row.locator("[name='weight.value']").input_value())
    assert weight == pytest.approx(10**0.6, abs=0.05)

    page.get_by_label("Dataset name").fill("Evening set")
    page.get_by_role("button", name="Create dataset").click()
    link = page.get_by_role("link", name="Download")
    link.wait_for(timeout=180_000)
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename.startswith("Evening set")
    download.value.save_as(to)
    return DataSet.of_zip(to), {folder: weight}


def check(made: DataSet, given: dict[str, int], weights: dict[str, float]) -> None:
    """JSON, captions, folders and multiply.txt tell what the person said."""
    assert made.pictures
    for name, faces in given.items():
        assert made.faces_named()[name] == faces, (name, made.faces_named())
    drawn = 0
    for picture in made.pictures:
        facts, caption = made.facts(picture), made.caption(picture)
        drawn += len(facts["facepos"])
        for name in set(facts["character"]) & set(given):
            assert name in caption
        assert "mountain" not in caption
    assert drawn > sum(given.values())  # the box that was drawn by hand is in it, without a name
    assert made.multiplies() == pytest.approx(made.expected_multiplies(weights), abs=0.011)
    assert len(set(made.multiplies().values())) > 1


def walk(chromium: Any, koma: Launched, film: Path, tmp_path: Path, *, collection: str, clusters: int) -> None:
    with visiting(chromium, koma.address) as visitor:
        visitor.log_in("admin", koma.password)
        visitor.create_collection(collection)
        visitor.upload(film)
        visitor.start_run()
        visitor.watch_run()
        values = name_clusters(visitor, clusters)
        first = next(iter(values))
        correct_a_frame(visitor, first)
        path, weights = export(visitor, tmp_path / "made.zip", of=first)
        check(path, values, weights)


def test_a_drawn_film_becomes_a_data_set_in_the_browser(
    chromium: Any, koma: Launched, drawn_film: Path, tmp_path: Path
) -> None:
    walk(chromium, koma, drawn_film, tmp_path, collection="Yama no Susume", clusters=3)


def test_the_real_clip_becomes_a_data_set_in_the_browser(
    chromium: Any, koma: Launched, test_data: Path, tmp_path: Path
) -> None:
    walk(chromium, koma, test_data / "video" / "real_cuts_ep01.mp4", tmp_path, collection="Real cuts", clusters=2)
