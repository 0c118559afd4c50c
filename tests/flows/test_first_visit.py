"""The first visit: the demo is being drawn, Koma is killed meanwhile and started again, a first character is named."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.flows.launched import PATIENCE_S, Launched, alive
from tests.flows.test_episode_to_dataset import name_clusters
from tests.flows.visitor import RUN_PATIENCE_MS, Visitor, visiting

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.xdist_group("launcher"), pytest.mark.time_limit(900)]

DRAWN = re.compile(r"Draw the demo episode,\s+(\d+) %")


class Starts:
    """Koma on one data folder, started again and again; one at a time."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.koma = self.begin()

    def begin(self) -> Launched:
        self.koma = Launched(self.data_dir, arguments=())
        self.koma.wait_until_up()
        return self.koma

    def kill(self) -> list[psutil.Process]:
        """End the launcher as a power cut does; returns the processes that outlived it."""
        family = self.koma.family()
        os.kill(self.koma.process.pid, signal.SIGKILL)
        self.koma.process.wait()
        return alive(family)


@pytest.fixture()
def starts(tmp_path: Path) -> Iterator[Starts]:
    started = Starts(tmp_path / "data")
    yield started
    if started.koma.process.poll() is None:
        started.koma.stop()


def see_drawing(visitor: Visitor) -> int:
    """Wait until the page tells that the demo is being drawn; returns the percentage."""
    line = visitor.page.locator(".run-now", has_text=DRAWN).first
    line.wait_for()
    (percent,) = DRAWN.findall(line.inner_text())
    return int(percent)


def hold_drawing(koma: Launched) -> None:
    """Hold the drawing in its middle, so that a fast machine is not done before somebody looks."""
    koma.wait_for("Draw the demo episode: ")  # asked once a second, so the first figure may be more than 0 %
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        for process in koma.family():
            if "cpu" in process.cmdline() and process.children():
                process.children()[0].suspend()
                return
        time.sleep(0.01)
    raise AssertionError(koma.output)


def test_a_first_visit_sees_the_demo_come_and_names_somebody_though_koma_was_killed(
    chromium: Any, starts: Starts
) -> None:
    koma = starts.koma
    assert re.search(r"Open it in a browser and log in:\n +name +admin\n +password +\S+\n", koma.output)
    hold_drawing(koma)
    with visiting(chromium, koma.address) as visitor:
        page = visitor.page
        page.goto(koma.address)
        page.get_by_text("training set").first.wait_for()
        assert page.locator(".welcome img").evaluate("image => image.naturalWidth") > 300
        visitor.log_in("admin", koma.password)
        page.get_by_role("link", name=re.compile("Demo")).wait_for()
        assert "No collection yet" not in page.content()
        assert 0 <= see_drawing(visitor) < 100
        page.get_by_role("link", name=re.compile("Demo")).click()
        page.locator("nav.rail").wait_for()
        assert 0 <= see_drawing(visitor) < 100

    assert starts.kill() == []
    films = list((starts.data_dir / "demo").glob("*.mp4"))
    assert films == []

    koma = starts.begin()
    with visiting(chromium, koma.address) as visitor:
        page = visitor.page
        visitor.log_in("admin", koma.password)
        page.get_by_role("link", name=re.compile("Demo")).click()
        page.get_by_role("link", name="Name faces").first.wait_for(timeout=RUN_PATIENCE_MS)
        page.locator(".run-now").wait_for(state="detached", timeout=RUN_PATIENCE_MS)
        visitor.press("Enter")
        page.locator("nav.rail a[aria-current=page]", has_text="Faces").wait_for()
        assert list(name_clusters(visitor, 1)) == ["Hinata"]
        visitor.rail("Characters")
        page.get_by_role("link", name="Hinata").first.wait_for()
    koma.wait_for("The demo episode is ready.")
