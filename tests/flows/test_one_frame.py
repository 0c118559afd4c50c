"""The page of one frame in a browser: one screen, boxes by mouse, wheel and keys, and the list it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from annotate.models import Face, FrameTag, Tag
from ingest.models import Frame, Operation
from tests.flows.visitor import Visitor

if TYPE_CHECKING:
    from tests.annotate.views.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)


def opened(visitor: Visitor, show: Show, index: int = 0, query: str = "") -> Any:
    visitor.page.goto(f"{visitor.address}/c/{show.collection.pk}/frames/{show.frames[index].pk}/{query}")
    visitor.page.wait_for_load_state("networkidle")
    return visitor.page


def test_five_faces_tags_and_caption_fit_one_screen(first: Visitor, show: Show) -> None:
    for i in range(1, 5):
        Face.objects.create(
            collection=show.collection, frame=show.frames[0], left=0.1 * i, top=0.3, right=0.1 * i + 0.05, bottom=0.5,
            score=0.9, crop=show.faces[i].crop, character=show.hinata if i % 2 else None,
        )  # fmt: skip
    tags = Tag.objects.bulk_create(Tag(name=f"a_rather_long_tag_{i}", post_count=1) for i in range(12))
    FrameTag.objects.bulk_create(FrameTag(frame=show.frames[0], tag=tag, score=0.5) for tag in tags)
    first.page.set_viewport_size({"width": 1440, "height": 900})
    page = opened(first, show)
    assert page.locator(".face-row").count() == 5
    assert page.locator(".tag-list .chip").count() == 13
    caption = page.get_by_label("Custom caption").bounding_box()
    assert caption["y"] + caption["height"] <= 900
    heights = [row.bounding_box()["height"] for row in page.locator(".face-row").all()]
    assert max(heights) <= 40
    text = page.locator("main").inner_text() + page.locator(".inspector").inner_text()
    assert "Quality" not in text
    assert "0.010" not in text  # the distance to the dropped copy


@pytest.mark.parametrize("by_key", [True, False])
def test_after_adding_a_tag_the_focus_is_in_the_tag_field_again(first: Visitor, show: Show, by_key: bool) -> None:
    page = opened(first, show)
    field = page.get_by_label("Add a tag", exact=True)
    for name in ("smile", "hat"):
        field.fill(name)
        if by_key:
            field.press("Enter")
        else:
            field.locator("xpath=following-sibling::button").click()
        page.locator("#labels .tag-list li", has_text=name).wait_for()
        page.locator("#add-tag:focus").wait_for()
        assert field.input_value() == ""


def test_a_face_is_called_nobody_from_its_menu(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    page.get_by_label("More about face 1").click()
    assert page.locator(".face-row p").inner_text() == "Found by builtin 1, 90 % sure."
    page.get_by_role("button", name="Not in the cast").click()
    first.toast("not in the cast").wait_for()
    show.faces[0].refresh_from_db()
    assert show.faces[0].state == "nobody"


def drag(page: Any, by: tuple[float, float], *, button: str = "left", at: tuple[float, float] = (0.5, 0.5)) -> None:
    """From a point of the first box, in shares of it."""
    box = page.locator(".box").first.bounding_box()
    x, y = box["x"] + at[0] * box["width"], box["y"] + at[1] * box["height"]
    page.mouse.move(x, y)
    page.mouse.down(button=button)
    page.mouse.move(x + by[0] / 2, y + by[1] / 2)
    page.mouse.move(x + by[0], y + by[1])
    page.mouse.up(button=button)


def zoom_of(page: Any) -> float:
    return float(page.locator(".stage-wrap").evaluate("stage => getComputedStyle(stage).getPropertyValue('--zoom')"))


def corner(show: Show) -> tuple[float, float]:
    face = Face.objects.get(pk=show.faces[0].pk)
    return face.left, face.top


def test_the_first_drag_moves_a_box_and_one_undo_takes_it_back(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    canvas = page.locator("#canvas").bounding_box()
    drag(page, (60, 30))
    first.toast("Box moved").wait_for()
    assert corner(show) == pytest.approx((0.1 + 60 / canvas["width"], 0.1 + 30 / canvas["height"]), abs=0.002)
    drag(page, (40, 0), at=(0.5, 0.1))
    first.toast("Box moved").wait_for()
    for _ in range(2):
        first.press("z")
        first.toast("Undone: Face box moved").wait_for()
    assert corner(show) == pytest.approx((0.1, 0.1))


def test_a_drawn_box_is_undone_in_one_step(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    canvas = page.locator("#canvas").bounding_box()
    first.press("b")
    page.mouse.move(canvas["x"] + 0.6 * canvas["width"], canvas["y"] + 0.3 * canvas["height"])
    page.mouse.down()
    page.mouse.move(canvas["x"] + 0.8 * canvas["width"], canvas["y"] + 0.6 * canvas["height"], steps=3)
    page.mouse.up()
    first.toast("Face drawn").wait_for()
    assert page.locator(".box").count() == 2
    page.locator("[data-face-row].current input[name=name]:focus").wait_for()  # where letters are its name
    first.press("Control+z")
    first.toast("Undone: Face drawn").wait_for()
    assert Face.objects.filter(frame=show.frames[0]).count() == 1


def test_a_click_that_trembles_moves_nothing(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    before = page.locator(".box").bounding_box()
    drag(page, (2, 1))
    page.locator(".box.current").wait_for()
    page.wait_for_timeout(300)
    assert page.locator(".box").bounding_box() == before
    assert not Operation.objects.filter(kind="faces.move").exists()


def test_arrows_move_the_focused_box_also_while_an_answer_is_on_its_way(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    address = page.url
    page.locator(".box").focus()
    first.press("ArrowRight", "ArrowRight", "ArrowDown")
    first.toast("Box moved").wait_for()
    page.locator(".box:focus").wait_for()
    assert corner(show) == pytest.approx((0.108, 0.104), abs=1e-4)
    assert Operation.objects.filter(kind="faces.move").count() == 1
    with page.expect_request(lambda request: request.url.endswith("/box/")):
        first.press("ArrowRight")
    first.press("ArrowRight", "ArrowRight")  # before the answer or after it
    for _ in range(2):
        first.toast("Box moved").wait_for()
    page.wait_for_load_state("networkidle")
    assert corner(show) == pytest.approx((0.12, 0.104), abs=1e-4)
    assert page.url == address
    for _ in range(3):
        first.press("z")
        first.toast("Undone: Face box moved").wait_for()
    assert corner(show) == pytest.approx((0.1, 0.1))


def test_the_wheel_zooms_at_the_pointer_and_boxes_stay_right(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    whole = page.locator("#canvas").bounding_box()
    box = page.locator(".box").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.wheel(0, -800)
    page.locator(".stage-wrap.zoomed").wait_for()
    zoom = zoom_of(page)
    assert zoom > 2
    larger = page.locator(".box").bounding_box()
    assert larger["width"] == pytest.approx(zoom * box["width"], rel=0.01)
    middle = larger["x"] + larger["width"] / 2, larger["y"] + larger["height"] / 2
    assert middle == pytest.approx((x, y), abs=zoom)  # the wheel says where it is in whole pixels
    drag(page, (90, 45))
    first.toast("Box moved").wait_for()
    assert zoom_of(page) == zoom
    expected = 0.1 + 90 / (whole["width"] * zoom), 0.1 + 45 / (whole["height"] * zoom)
    assert corner(show) == pytest.approx(expected, abs=0.002)
    page.mouse.wheel(0, 3000)
    page.locator(".stage-wrap:not(.zoomed)").wait_for()
    assert page.locator("#canvas").bounding_box() == pytest.approx(whole, abs=1)


def test_keys_and_double_click_zoom_and_arrows_pan_while_zoomed(first: Visitor, show: Show) -> None:
    page = opened(first, show, 1)
    address = page.url
    first.press("+", "+")
    assert zoom_of(page) == pytest.approx(2.25)
    before = page.locator("#canvas").bounding_box()["x"]
    first.press("ArrowRight")
    assert page.locator("#canvas").bounding_box()["x"] < before
    assert page.url == address
    first.press("-")
    assert zoom_of(page) == pytest.approx(1.5)
    first.press("0")
    assert zoom_of(page) == 1
    canvas = page.locator("#canvas").bounding_box()
    page.mouse.dblclick(canvas["x"] + 0.8 * canvas["width"], canvas["y"] + 0.8 * canvas["height"])
    assert zoom_of(page) == pytest.approx(3)
    page.mouse.dblclick(canvas["x"] + 0.5 * canvas["width"], canvas["y"] + 0.5 * canvas["height"])
    assert zoom_of(page) == 1
    first.press("ArrowRight")
    page.wait_for_url(f"**/frames/{show.frames[2].pk}/")


def test_space_and_the_middle_button_drag_the_picture_and_no_box(first: Visitor, show: Show) -> None:
    page = opened(first, show)
    box = page.locator(".box").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -800)
    page.locator(".stage-wrap.zoomed").wait_for()
    before = page.locator("#canvas").bounding_box()["x"]
    drag(page, (-50, 0), button="middle")
    assert page.locator("#canvas").bounding_box()["x"] == pytest.approx(before - 50, abs=2)
    page.keyboard.down(" ")
    drag(page, (-40, 0))
    page.keyboard.up(" ")
    assert page.locator("#canvas").bounding_box()["x"] == pytest.approx(before - 90, abs=2)
    assert not Operation.objects.filter(kind="faces.move").exists()


def test_arrows_go_through_the_filtered_list_that_the_frame_was_opened_from(first: Visitor, show: Show) -> None:
    Frame.objects.filter(pk__in=[show.frames[1].pk, show.frames[4].pk]).update(face_count=2)
    page = first.page
    page.goto(f"{first.address}/c/{show.collection.pk}/frames/?q=faces:2")
    page.locator(".tile a").first.click()
    page.get_by_text("1 of 2 in").wait_for()
    page.wait_for_load_state("networkidle")
    first.press("ArrowRight")
    page.get_by_text("2 of 2 in").wait_for()
    page.wait_for_load_state("networkidle")
    assert f"/frames/{show.frames[4].pk}/" in page.url
    first.press("?")
    keys = page.locator("#help").inner_text()
    for words in ("previous match of the filter", "zoom in, zoom out", "show the whole picture", "move the box"):
        assert words in keys
