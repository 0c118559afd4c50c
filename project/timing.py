"""Measures each response, for the browser's network view and for `bench/pages.py`, and limits pages in parallel.

Threads of one process share the interpreter: four pages in parallel are all ready as late as the last of four in a row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]
PAGES_AT_ONCE = 2  # a process: one computes while the other waits for the database
WAIT_MAX_S = 5.0  # then a page is made all the same: those before it hang on something


def server_timing(get_response: GetResponse) -> GetResponse:
    """Add `Server-Timing: wait;dur=<ms>, view;dur=<ms>`: the wait for a turn, and the view with all middleware below.

    Only GET and HEAD wait. A form may arrive over a slow line, and a file is sent after its turn: neither keeps a page
    waiting.
    """
    turns = threading.BoundedSemaphore(PAGES_AT_ONCE)

    def middleware(request: HttpRequest) -> HttpResponseBase:
        arrived = time.perf_counter()
        has_turn = request.method in ("GET", "HEAD") and turns.acquire(timeout=WAIT_MAX_S)
        began = time.perf_counter()
        try:
            response = get_response(request)
        finally:
            if has_turn:
                turns.release()
        wait, view = 1000 * (began - arrived), 1000 * (time.perf_counter() - began)
        response.headers["Server-Timing"] = f"wait;dur={wait:.1f}, view;dur={view:.1f}"
        return response

    return middleware
