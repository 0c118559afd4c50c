"""Pages for what went wrong outside of any view: a form without its token, a busy database, our own mistakes."""

from __future__ import annotations

import json
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

BUSY = "The database is busy or cannot be reached; nothing was written. Try again in a moment."
STALE = "This page is older than your login, so nothing was changed. Reload it and try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or of another login; the usual cause is a page that was open too long."""
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=403)
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": STALE, "error": True, "undo": False}})
        response.headers["HX-Reswap"] = "none"
        return response
    return render(request, "403_csrf.html", {"text": STALE}, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database did not answer. Drawn without the request: nothing may go wrong here."""
    busy = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    text = BUSY if busy else ""
    if request.headers.get("HX-Request") == "true" and busy:
        response = HttpResponse(status=503)
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "error": True, "undo": False}})
        response.headers["HX-Reswap"] = "none"
        return response
    return HttpResponse(render_to_string("500.html", {"busy": text}), status=503 if busy else 500)
