"""Pages take turns, and each answer tells how long Koma worked on it (`bench/pages.py` counts by that)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]
AT_ONCE = 1
WAIT_MAX_S = 2.0  # then a page is made all the same: the others may wait for something else than the processor
FREE = ("/healthz",)


def server_timing(get_response: GetResponse) -> GetResponse:
    """Add `Server-Timing: wait;dur=<ms>, view;dur=<ms>`: until its turn, and all that stands below in the middleware.

    Only what is read takes turns. A body that is sent (an upload from a slow line) is waited for without one, and so
    is a file on its way out.
    """
    turns = threading.BoundedSemaphore(AT_ONCE)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        asked = time.perf_counter()
        reads = request.method in ("GET", "HEAD") and request.path not in FREE
        mine = reads and turns.acquire(timeout=WAIT_MAX_S)
        began = time.perf_counter()
        try:
            response = get_response(request)
        finally:
            if mine:
                turns.release()
        wait, view = 1000 * (began - asked), 1000 * (time.perf_counter() - began)
        response.headers["Server-Timing"] = f"wait;dur={wait:.1f}, view;dur={view:.1f}"
        return response

    return middleware
