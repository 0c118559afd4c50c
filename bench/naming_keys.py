"""How long the faces page takes from Enter to the next name field, in a real Chromium.

    python -m bench.naming_keys [--groups 300] [--faces 8] [--pause 0.5] [--write]

A collection of its own with that many groups, the web server as `make demo` starts it. A browser names one group after
the other by keys, with a pause after each as a quick person has one (0: as fast as the page lets it, which then draws
for several names at once): from the press of Enter to the focus of the next field, and to the next picture on the
screen. The answers go out meanwhile; at the end all of them must have arrived.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import report

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from ingest.models import Collection

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
CAST = 9
BOUND_MS = 100
# Notes when Enter was pressed, when the next name field had the focus and when the page was drawn after that.
WATCH = """() => {
  window.steps = [];
  let pressed = 0;
  addEventListener("keydown", (event) => { if (event.key === "Enter") pressed = performance.now(); }, true);
  addEventListener("focusin", ({ target }) => {
    if (!pressed || target.name !== "name") return;
    const step = { focus: performance.now() - pressed };
    const began = pressed;
    pressed = 0;
    requestAnimationFrame(() => setTimeout(() => {
      step.drawn = performance.now() - began;
      window.steps.push(step);
    }));
  });
}"""


def fill(groups: int, faces: int) -> tuple[Collection, User]:
    """A collection with groups of faces that nobody has named, and who names them."""
    from django.contrib.auth.models import User

    from annotate.models import Face, FaceCluster
    from ingest.imaging.encode import PictureFormat, encode
    from ingest.models import Collection, Episode, Frame, Membership, Role, Source
    from ingest.storage.stored_files import store

    collection = Collection.objects.create(name="Many groups")
    user = User.objects.create_user("namer")
    Membership.objects.create(collection=collection, user=user, role=Role.LEAD)
    source = Source.objects.create(collection=collection, kind="pictures", name="e", path="x", sha256="x")
    episode = Episode.objects.create(collection=collection, source=source, title="Episode", number="1")
    noise = np.random.default_rng(1)
    crops = [
        store().put(encode(noise.integers(0, 255, (96, 96, 3), np.uint8), PictureFormat("jpeg", quality=90)), "jpg")
        for _ in range(64)
    ]
    for number in range(groups):
        cluster = FaceCluster.objects.create(collection=collection, number=number, size=faces, purity=0.9)
        frame = Frame.objects.create(
            collection=collection, episode=episode, index=number, time_s=number, width=96, height=96, file=crops[0],
            preview=crops[0], face_count=faces,
        )  # fmt: skip
        Face.objects.bulk_create(
            Face(
                collection=collection, frame=frame, cluster=cluster, left=n / faces, top=0.1, right=(n + 1) / faces,
                bottom=0.9, score=0.9, crop=crops[(number + n) % len(crops)],
            )
            for n in range(faces)
        )  # fmt: skip
    return collection, user


def name_all(address: str, session: str, *, groups: int, pause_s: float, browser: str) -> list[dict[str, float]]:
    """Name every group by keys; milliseconds to the next field and to the next picture for each step."""
    from django.conf import settings
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser or None, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        site = address.partition("/c/")[0]
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": site}])
        page = context.new_page()
        page.goto(address)
        # All groups are on the page before the first name: the most that it ever has to handle.
        while page.locator("[data-more]").count():
            page.mouse.wheel(0, 100_000)
            page.wait_for_timeout(50)
        page.evaluate("document.querySelector('[data-cluster] input[name=name]').focus()")
        page.evaluate(WATCH)
        for number in range(groups):
            page.keyboard.insert_text(f"Character {number % CAST}")
            page.keyboard.press("Enter")
            if pause_s:
                page.wait_for_timeout(1000 * pause_s)
        page.locator("#all-named .btn").wait_for(timeout=600_000)
        page.locator("[data-pending]").first.wait_for(state="detached")
        steps: list[dict[str, float]] = page.evaluate("window.steps")
        chromium.close()
    return steps


def measure(groups: int, faces: int, pause_s: float, data: Path, browser: str) -> tuple[list[dict[str, float]], float]:
    """The steps, and how many answers per second the server took."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection
    from django.test import Client

    from annotate.models import Face
    from bench.pages import _wait
    from project.serve.launcher import gunicorn_command

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    call_command("migrate", verbosity=0)
    collection, user = fill(groups, faces)
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    connection.close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with (data / "web.log").open("wb") as log:
        web = subprocess.Popen(gunicorn_command("127.0.0.1", port, WORKERS), cwd=ROOT, stdout=log, stderr=log)
        try:
            _wait(port)
            began = time.perf_counter()
            address = f"http://127.0.0.1:{port}/c/{collection.pk}/faces/"
            steps = name_all(address, session, groups=groups, pause_s=pause_s, browser=browser)
            seconds = time.perf_counter() - began
        finally:
            web.terminate()
            web.wait(20)
    if left := Face.objects.filter(character=None).count():
        sys.exit(f"{left} faces have no name: answers were lost.")
    return steps, groups / seconds


def main() -> None:
    """Fill, name, print; exits with an error where the 95th percentile is above the bound."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--groups", type=int, default=300)
    options.add_argument("--faces", type=int, default=8, help="per group")
    options.add_argument("--pause", type=float, default=0.5, help="seconds after each name")
    options.add_argument("--browser", default=shutil.which("chromium") or "", help="path of a Chromium")
    options.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="koma-naming-") as folder:
        os.environ |= {"KOMA_DATA_DIR": folder, "DEBUG": "off", "DJANGO_SETTINGS_MODULE": "project.settings"}
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/koma.sqlite3"
        import django

        django.setup()
        steps, rate = measure(chosen.groups, chosen.faces, chosen.pause, Path(folder), chosen.browser)
    rows: list[list[object]] = []
    for name, field in (("the next field has the focus", "focus"), ("the page is drawn", "drawn")):
        times: Any = [step[field] for step in steps]
        p50, p95 = np.percentile(times, [50, 95])
        rows.append([name, f"{p50:.0f}", f"{p95:.0f}", f"{max(times):.0f}"])
    what = (
        f"{chosen.groups} groups of {chosen.faces} faces on one page, SQLite, {chosen.pause:g} s after each name, "
        f"{rate:.1f} answers per second in all."
    )
    table = report.table(["", "p50", "p95", "max"], rows)
    text = f"{what} Milliseconds from the press of Enter ({len(steps)} steps) until:\n\n{table}"
    if chosen.write:
        report.write("Naming groups by keys", text)
    else:
        print(text)
    if np.percentile([step["focus"] for step in steps], 95) > BOUND_MS:
        sys.exit(f"The next field takes more than {BOUND_MS} ms.")


if __name__ == "__main__":
    main()
