"""The page of one frame in a browser: one screen, boxes by mouse, wheel and keys, and the list it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from annotate.models import Face, FrameTag, Tag
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
