"""Every page on a phone, with a finger: nothing hangs over the edge, nothing to press is too small, all can be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User

from annotate.models import Character
from ingest.models import PipelineRun, StageRun
from tests.conftest import client_of
from tests.flows.addresses import page_addresses

if TYPE_CHECKING:
    from tests.annotate.views.conftest import Show

pytestmark = pytest.mark.django_db(transaction=True)

FINGER = 40  # pixels
WIDTH = 390
SMALLEST_TEXT = 11  # pixels
LONG = "ずっと長い名前 " * 12 + "x" * 100
AUDIT = Path(__file__).with_name("page_audit.js").read_text(encoding="utf-8")


OVER = """(width) => [...document.querySelectorAll("body *")]
  .filter((node) => node.getBoundingClientRect().right > width + 1 && !node.closest(".rail"))
  .slice(0, 9).map((node) => node.outerHTML.slice(0, 80))"""


@pytest.fixture()
def show(show: Show, alice: User) -> Show:
    """With a long name, and a run in which something went wrong."""
    Character.objects.filter(pk=show.hinata.pk).update(name=LONG[:200])
    show.faces[0].character = show.hinata
    show.faces[0].save()
    run = PipelineRun.objects.create(collection=show.collection, created_by=alice, code_version="1", state="failed")
    rows: tuple[dict[str, Any], ...] = (
        {
            "stage": "extract",
            "state": "done",
            "done": 9,
            "total": 9,
            "counters": {"kept": 9},
            "timings": {"total": 3.0},
        },
        {"stage": "run_models", "state": "failed", "error": f"{'/a/long/path' * 12}.onnx: this is no network."},
    )
    for order, row in enumerate(rows):
        StageRun.objects.create(run=run, order=order, queue="gpu", episode=show.episode, **row)
    return show


@pytest.fixture(params=["dark", "light"])
def phone(request: pytest.FixtureRequest, browser: Any, live_server: Any, alice: User) -> Iterator[Any]:
    """A page of 390 x 844 for a finger, logged in as alice."""
    from django.conf import settings

    context = browser.context.browser.new_context(
        viewport={"width": WIDTH, "height": 844}, is_mobile=True, has_touch=True, color_scheme=request.param
    )
    cookie = client_of(alice).cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
    yield context.new_page()
    context.close()


def test_every_page_fits_a_phone_and_a_finger_and_can_be_read(
    phone: Any, live_server: Any, show: Show, alice: User, settings: Any, tmp_path: Path
) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    (tmp_path / "films" / "one").mkdir(parents=True)
    settings.KOMA_LIBRARY_DIRS = [tmp_path / "films"]
    wrong = []
    for address in page_addresses(show, PipelineRun.objects.get()):
        phone.goto(live_server.url + address)
        result = phone.evaluate(
            f"(() => {{ const page = {AUDIT}; return [...page.small({FINGER}), ...page.pale()]; }})()"
        )
        phone.wait_for_load_state("networkidle")
        width = phone.evaluate("document.documentElement.scrollWidth")
        if width != WIDTH:
            result.append(f"{width} pixels wide: {phone.evaluate(OVER, WIDTH)}")
        wrong += [f"{address}: {what}" for what in result]
    assert not wrong, "\n".join(wrong)
    rail = phone.locator(".rail a")
    assert rail.count() == 8
    boxes = [item.bounding_box() for item in rail.all()]
    sizes = rail.evaluate_all("items => items.map((item) => parseFloat(getComputedStyle(item).fontSize))")
    assert min(sizes) >= SMALLEST_TEXT
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= WIDTH for box in boxes)


def test_a_box_is_chosen_moved_and_resized_with_a_finger(phone: Any, live_server: Any, show: Show) -> None:
    face = show.faces[5]
    phone.goto(f"{live_server.url}/c/{show.collection.pk}/frames/{face.frame_id}/")
    box = phone.locator(".box")
    box.tap()
    strip = phone.locator(".filmstrip").first.bounding_box()
    here = phone.locator(".filmstrip [aria-current]").bounding_box()
    assert here["x"] >= strip["x"] - 1
    assert here["x"] + here["width"] <= strip["x"] + strip["width"] + 1
    touch = phone.context.new_cdp_session(phone)

    def drag(x: float, y: float, by: float) -> None:
        def send(kind: str, *points: tuple[float, float]) -> None:
            touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

        with phone.expect_response(lambda answer: answer.url.endswith("/box/")):
            send("touchStart", (x, y))
            for step in range(1, 5):
                send("touchMove", (x + by * step / 4, y + by * step / 4))
            send("touchEnd")

    area = box.bounding_box()
    drag(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2, 20)
    face.refresh_from_db()
    assert face.left == pytest.approx(0.1 + 20 / 366, abs=0.02)
    assert face.top == pytest.approx(0.1 + 20 / 206, abs=0.02)
    width = face.right - face.left
    phone.locator(".box").tap()
    area = phone.locator(".box").bounding_box()
    # Some pixels beside the corner: a finger is wider than the handle.
    drag(area["x"] + area["width"] + 8, area["y"] + area["height"] + 8, 24)
    face.refresh_from_db()
    assert face.right - face.left == pytest.approx(width + 24 / 366, abs=0.02)


def test_two_fingers_zoom_the_picture_and_one_moves_it(phone: Any, live_server: Any, show: Show) -> None:
    phone.goto(f"{live_server.url}/c/{show.collection.pk}/frames/{show.frames[0].pk}/")
    phone.wait_for_load_state("networkidle")
    touch = phone.context.new_cdp_session(phone)
    before = phone.locator("#canvas").bounding_box()
    x, y = before["x"] + before["width"] * 0.7, before["y"] + before["height"] * 0.7

    def send(kind: str, *points: tuple[float, float]) -> None:
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]})

    send("touchStart", (x - 20, y))
    send("touchStart", (x - 20, y), (x + 20, y))
    for step in range(1, 5):
        send("touchMove", (x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
    send("touchEnd")
    zoomed = phone.locator("#canvas").bounding_box()
    assert zoomed["width"] == pytest.approx(3 * before["width"], rel=0.05)
    assert phone.evaluate("visualViewport.scale") == 1
    send("touchStart", (x, y))
    for step in range(1, 5):
        send("touchMove", (x + 10 * step, y + 5 * step))
    send("touchEnd")
    moved = phone.locator("#canvas").bounding_box()
    assert moved["x"] == pytest.approx(zoomed["x"] + 40, abs=3)
    assert moved["y"] == pytest.approx(zoomed["y"] + 20, abs=3)
    show.faces[0].refresh_from_db()
    assert show.faces[0].left == pytest.approx(0.1)
