from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable

import pytest
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.test import RequestFactory

from project import timing
from project.timing import PAGES_AT_ONCE, server_timing


def test_the_answer_tells_the_time_of_the_view() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        time.sleep(0.03)
        return HttpResponse()

    header = server_timing(view)(RequestFactory().get("/")).headers["Server-Timing"]
    match = re.fullmatch(r"wait;dur=(\d+\.\d), view;dur=(\d+\.\d)", header)
    assert match is not None
    assert float(match[2]) >= 30


def waited(answer: HttpResponseBase) -> float:
    """Milliseconds that a page waited for its turn."""
    match = re.fullmatch(r"wait;dur=(\d+\.\d), view;dur=(\d+\.\d)", answer.headers["Server-Timing"])
    assert match is not None
    return float(match[1])


def _ask(count: int, ask: Callable[[], object]) -> list[threading.Thread]:
    threads = [threading.Thread(target=ask, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_few_pages_are_made_at_once_and_each_has_its_turn() -> None:
    within, highest, done = 0, 0, 0
    lock = threading.Lock()

    def view(request: HttpRequest) -> HttpResponse:
        nonlocal within, highest, done
        with lock:
            within += 1
            highest = max(highest, within)
        time.sleep(0.01)
        with lock:
            within -= 1
            done += 1
        return HttpResponse()

    answer = server_timing(view)
    for thread in _ask(8, lambda: answer(RequestFactory().get("/"))):
        thread.join(20)
    assert (highest, done) == (PAGES_AT_ONCE, 8)


def test_a_page_that_fails_gives_its_turn_back() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise RuntimeError

    answer = server_timing(view)
    for _ in range(PAGES_AT_ONCE + 1):
        with pytest.raises(RuntimeError):
            answer(RequestFactory().get("/"))


def test_a_form_waits_for_nobody_and_a_page_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    held, begun = threading.Event(), threading.Semaphore(0)

    def view(request: HttpRequest) -> HttpResponse:
        begun.release()
        if "hangs" in request.GET:
            held.wait(30)
        return HttpResponse()

    answer = server_timing(view)
    hanging = _ask(PAGES_AT_ONCE, lambda: answer(RequestFactory().get("/?hangs")))
    for _ in hanging:
        assert begun.acquire(timeout=20)
    try:
        assert waited(answer(RequestFactory().post("/"))) < 1000 * timing.WAIT_MAX_S
        monkeypatch.setattr(timing, "WAIT_MAX_S", 0.05)
        assert waited(answer(RequestFactory().get("/"))) >= 50
    finally:
        held.set()
        for thread in hanging:
            thread.join(20)
