"""Each answer tells how long Koma worked on it: in the browser's network view, and for `bench/pages.py`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def server_timing(get_response: GetResponse) -> GetResponse:
    """Add `Server-Timing: view;dur=<ms>`: the view and all that stands below in the middleware."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = get_response(request)
        response.headers["Server-Timing"] = f"view;dur={1000 * (time.perf_counter() - began):.1f}"
        return response

    return middleware
