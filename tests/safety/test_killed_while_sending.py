"""A form whose web process was killed in the middle is no success: it is kept, and done when it is sent again."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse

from annotate.models import Caption, Character
from ingest.models import Operation, SentForm
from ingest.views import once
from project.serve.launcher import free_port, gunicorn_command
from tests.annotate.views.conftest import Show, make_show
from tests.conftest import client_of
from tests.pages import html_of
from tests.project.test_web_children import children

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture()
def show(collection: Any, alice: User, bob: User) -> Show:
    return make_show(collection)


@contextmanager
def site(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The web server with its own processes, on the database and data folder of this test."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        address = f"sqlite:///{database['NAME']}"
    else:
        address = urlunsplit(urlsplit(os.environ["KOMA_TEST_DATABASE_URL"])._replace(path=f"/{database['NAME']}"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KOMA_")} | {
        "DATABASE_URL": address, "KOMA_DATA_DIR": str(settings.KOMA_DATA_DIR), "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "tests.safety.slow_site", "KOMA_DISK_RESERVE_BYTES": "0",
    }  # fmt: skip
    command = gunicorn_command("127.0.0.1", port, 1)
    with (Path(settings.KOMA_DATA_DIR) / "web.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is None and status(port, "/login/") == 200, 60)
        yield process
    finally:
        kill(process)


def kill(master: subprocess.Popen[bytes]) -> None:
    """End the server and its children as an out-of-memory killer does."""
    family = children(master.pid) if master.poll() is None else set()
    master.kill()
    master.wait()
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_for(is_so: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def status(port: int, path: str) -> int:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        line.request("GET", path)
        return line.getresponse().status
    except OSError:
        return 0
    finally:
        line.close()


class Sender:
    """Sends one form again and again, key and all."""

    def __init__(self, port: int, user: User, path: str) -> None:
        self.port, self.path = port, path
        client = client_of(user)
        page = html_of(client.get(reverse("password_change")))
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token is not None
        self.cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        self.body = urlencode({"name": "Zed", "key": "k1", "csrfmiddlewaretoken": token[1]})

    def send(self, **more: str) -> http.client.HTTPResponse | None:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Cookie": self.cookies, "Content-Type": "application/x-www-form-urlencoded"}
        try:
            line.request("POST", self.path, self.body, headers | more)
            answer = line.getresponse()
            answer.read()
            return answer
        except OSError:
            return None
        finally:
            line.close()


def test_a_form_of_a_killed_process_is_an_error_while_at_work_and_then_done(show: Show, alice: User) -> None:
    folder = Path(settings.KOMA_DATA_DIR)
    port = free_port("127.0.0.1", 18_400)
    sender = Sender(port, alice, reverse("character_create", args=[show.collection.pk]))
    with site(port) as master, ThreadPoolExecutor() as pool:
        first = pool.submit(sender.send)
        wait_for((folder / "begun").exists)
        for more in ({}, {"HX-Request": "true"}):  # it works still, and that is no success
            answer = sender.send(**more)
            assert answer is not None
            assert (answer.status, answer.headers["Retry-After"]) == (503, str(once.RETRY_S))
            assert "koma_done" not in str(answer.headers)
        kill(master)
        assert first.result() is None
    assert not Character.objects.filter(name="Zed").exists()
    assert SentForm.objects.filter(done=False).count() == 1
    (folder / "go").touch()
    with site(port):
        began = time.monotonic()
        answer = sender.send()
        assert answer is not None and answer.status == 302, answer
        assert time.monotonic() - began < 10
        assert "koma_done=k1" in str(answer.headers)
        assert Character.objects.filter(name="Zed").count() == 1
        operations = Operation.objects.count()
        assert sender.send() is not None
        assert Operation.objects.count() == operations


@pytest.mark.browser
def test_the_browser_keeps_what_was_typed_until_it_was_written(show: Show, alice: User, page_as: Any) -> None:
    page = page_as(alice, "/")
    folder, port = Path(settings.KOMA_DATA_DIR), free_port("127.0.0.1", 18_500)
    address = f"http://127.0.0.1:{port}{reverse('frame', args=[show.collection.pk, show.frames[0].pk])}"
    session = client_of(alice).cookies[settings.SESSION_COOKIE_NAME].value
    page.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": f"http://127.0.0.1:{port}", "httpOnly": True}]
    )
    caption = page.get_by_label("Custom caption")
    bar = page.locator("#unsent")
    with site(port) as master:
        page.goto(address)
        caption.fill("a long sentence")
        page.get_by_role("button", name="Save caption").click()
        wait_for((folder / "begun").exists)
        kill(master)
        bar.wait_for()
    (folder / "go").touch()
    with site(port):
        page.reload()
        assert caption.input_value() == "a long sentence"
        bar.get_by_role("button", name="Send again").click()
        page.locator("#toasts .toast", has_text="1 answer sent").wait_for()
        assert Caption.objects.get(frame=show.frames[0]).text == "a long sentence"
        assert caption.get_attribute("data-unsent") is None


@pytest.mark.browser
def test_a_plain_form_that_is_at_work_leads_to_a_page_that_sends_it_again(
    show: Show, alice: User, page_as: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(once, "WAIT_S", 0.1)
    address = reverse("characters", args=[show.collection.pk])
    page = page_as(alice, address)
    begin, at_work = once._begin, [True]

    def begun(user: int, form_hash: str, token: str) -> SentForm:
        if at_work[0]:
            SentForm.objects.get_or_create(
                user_id=user, mark=form_hash, defaults={"at": once.timezone.now(), "token": once.alive.UNKNOWN}
            )
        return begin(user, form_hash, token)

    monkeypatch.setattr(once, "_begin", begun)
    page.get_by_label("Name of the new character").fill("Zed")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Not done yet").wait_for()
    if shots := os.environ.get("KOMA_TEST_SHOTS"):
        page.screenshot(path=f"{shots}/not_done.png")
    page.get_by_role("button", name="Retry").click()  # still at work
    page.get_by_role("heading", name="Not done yet").wait_for()
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('koma.draft')).length") == 1
    at_work[0] = False
    SentForm.objects.all().delete()
    page.get_by_role("button", name="Retry").click()
    page.locator("#toasts .toast", has_text="Zed is in the cast now").wait_for()
    assert Character.objects.filter(name="Zed").count() == 1
    page.goto(page.url.split("/c/")[0] + address)
    assert page.get_by_label("Name of the new character").input_value() == ""
