from __future__ import annotations

import threading
import time

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from project.timing import AT_ONCE, server_timing


def most_at_once(requests: list[HttpRequest]) -> int:
    lock = threading.Lock()
    running = most = 0

    def view(request: HttpRequest) -> HttpResponse:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.1)
        with lock:
            running -= 1
        return HttpResponse()

    middleware = server_timing(view)
    threads = [threading.Thread(target=middleware, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most


def test_pages_take_turns() -> None:
    assert most_at_once([RequestFactory().get("/") for _ in range(6)]) == AT_ONCE


def test_uploads_and_the_health_check_wait_for_nobody() -> None:
    assert most_at_once([RequestFactory().put("/") for _ in range(6)]) > AT_ONCE
    assert most_at_once([RequestFactory().get("/healthz") for _ in range(6)]) > AT_ONCE


def test_a_turn_is_given_back_when_a_view_fails() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ValueError("broken")

    middleware = server_timing(view)
    began = time.perf_counter()
    for _ in range(AT_ONCE + 1):
        try:
            middleware(RequestFactory().get("/"))
        except ValueError:
            continue
    assert time.perf_counter() - began < 2


def test_the_answer_tells_the_time_of_the_view() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        time.sleep(0.03)
        return HttpResponse()

    header = server_timing(view)(RequestFactory().get("/")).headers["Server-Timing"]
    wait, shown = header.split(", ")
    assert wait.startswith("wait;dur=")
    assert float(shown.removeprefix("view;dur=")) >= 30
