from __future__ import annotations

import time

from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from project.timing import server_timing


def test_the_answer_tells_the_time_of_the_view() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        time.sleep(0.03)
        return HttpResponse()

    header = server_timing(view)(RequestFactory().get("/")).headers["Server-Timing"]
    assert float(header.removeprefix("view;dur=")) >= 30
