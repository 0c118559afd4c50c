"""Boxes drawn and moved with the mouse are taken back by one press of Z, and none is ever in the way of the next."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from annotate.actions import faces, tags
from annotate.models import Face, FrameTag
from ingest.models import Frame, Operation
from tests.annotate.views.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse over the picture, in parts of it."""
    canvas = page.locator("#canvas").bounding_box()
    for index, (x, y) in enumerate((start, end)):
        page.mouse.move(canvas["x"] + x * canvas["width"], canvas["y"] + y * canvas["height"], steps=4)
        page.mouse.down() if index == 0 else page.mouse.up()


def undo_by_key(page: Any) -> None:
    """Press Z and wait for the page that comes then."""
    page.keyboard.press("Escape")
    page.locator("#toasts .toast").last.wait_for()
    with page.expect_navigation():
        page.keyboard.press("z")
    page.locator("#toasts", has_text="Undone").wait_for()
    page.wait_for_load_state()


@pytest.fixture()
def frame_page(show: Show, bob: User, page_as: Any) -> Any:
    page = page_as(bob, f"/c/{show.collection.pk}/frames/{show.frames[0].pk}/")
    page.wait_for_load_state()
    return page


def test_a_drawn_box_is_undone_by_its_key(show: Show, frame_page: Any) -> None:
    frame_page.keyboard.press("b")
    frame_page.locator("#canvas.drawing").wait_for()
    drag(frame_page, (0.55, 0.3), (0.85, 0.8))
    frame_page.locator("#toasts", has_text="Face drawn").wait_for()
    drawn = Face.objects.get(frame=show.frames[0], drawn_by__isnull=False)
    assert drawn.crop
    undo_by_key(frame_page)
    assert frame_page.locator("#canvas .box").count() == 1
    assert not Face.objects.filter(pk=drawn.pk).exists()


def test_a_drawn_face_is_named_by_typing_at_once(show: Show, frame_page: Any) -> None:
    frame_page.keyboard.press("b")
    frame_page.locator("#canvas.drawing").wait_for()
    drag(frame_page, (0.55, 0.3), (0.85, 0.8))
    frame_page.locator("[data-face-row].current input[name=name]:focus").wait_for()
    frame_page.keyboard.type("Zede")  # the keys of undo, exclude and drop
    frame_page.keyboard.press("Enter")
    frame_page.locator("#toasts", has_text="named Zede").wait_for()
    drawn = Face.objects.get(frame=show.frames[0], drawn_by__isnull=False)
    assert drawn.character is not None and drawn.character.name == "Zede"
    frame = Frame.objects.get(pk=show.frames[0].pk)
    assert not frame.excluded and frame.state == "kept"


def test_a_moved_box_is_undone_by_its_key_and_the_next_press_takes_what_was_before(
    show: Show, bob: User, frame_page: Any
) -> None:
    tags.add(collection=show.collection, frames=[show.frames[0]], names=["smile"], by=bob)
    faces.nobody(collection=show.collection, faces=[show.faces[5]], by=bob)  # on another frame
    box = frame_page.locator("#canvas .box")
    before = box.get_attribute("style")
    box.click()
    drag(frame_page, (0.25, 0.35), (0.5, 0.5))
    frame_page.locator("#toasts", has_text="Box moved").wait_for()
    moved = Face.objects.get(pk=show.faces[0].pk)
    assert moved.left > 0.2
    undo_by_key(frame_page)
    assert frame_page.locator("#canvas .box").get_attribute("style") == before
    face = Face.objects.get(pk=show.faces[0].pk)
    assert (face.left, face.top, face.crop) == (0.1, 0.1, show.faces[0].crop)
    undo_by_key(frame_page)
    assert not FrameTag.objects.filter(frame=show.frames[0], tag__name="smile").exists()
    assert Operation.objects.get(undone_at=None, undoes=None).kind == "faces.nobody"
    assert Face.objects.get(pk=show.faces[5].pk).state == "nobody"
