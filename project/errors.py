"""Pages for what went wrong outside of any view: a form without its token, a busy database, a full disk,
our own mistakes."""

from __future__ import annotations

import json
import logging
import re
import sys
from contextlib import suppress

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from ingest.access import collection_for
from ingest.storage import full_disk
from ingest.storage.full_disk import disk_is_full

logger = logging.getLogger(__name__)

IN_COLLECTION = re.compile(r"/c/([0-9]{1,18})/")
BUSY = "The database is busy or cannot be reached; nothing was saved. Try again in a moment."
STALE = "This page was opened before your last login, so nothing was saved. Reload it and try again."


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form whose token is missing or of another login, usually since the page was open for long."""
    if request.headers.get("HX-Request") == "true":
        response = HttpResponse(status=403)
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": STALE, "error": True, "undo": False}})
        response.headers["HX-Reswap"] = "none"
        return response
    return render(request, "403_csrf.html", {"text": STALE}, status=403)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400. Rendered without the request, which may be unreadable; says why where a person can do something about it."""
    words = ""
    if isinstance(exception, TooManyFilesSent):
        files_max = settings.DATA_UPLOAD_MAX_NUMBER_FILES
        words = (
            f"A form can send at most {files_max:,} files (KOMA_FORM_FILES). "
            "Nothing was uploaded. Send fewer at once, or pack them into one zip. With JavaScript on there is no "
            "such limit."
        )
    elif isinstance(exception, TooManyFieldsSent):
        words = "This form has more fields than Koma reads at once. Nothing was saved. Choose fewer and try again."
    return HttpResponse(render_to_string("400.html", {"words": words}), status=400)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404, with the menu of the collection in the address for its members. Others see the same page for every one."""
    _find_collection(request)
    return render(request, "404.html", status=404)


def form_only(request: HttpRequest) -> HttpResponse:
    """405 for an address that only takes forms and was opened as a page, for example after a login."""
    _find_collection(request)
    return render(request, "405.html", status=405)


def _find_collection(request: HttpRequest) -> None:
    """Give the request the collection in its address, for the menu, if the person is a member of it."""
    match = IN_COLLECTION.match(request.path_info)
    if match and not hasattr(request, "collection") and hasattr(request, "user"):
        with suppress(Http404):
            request.collection, request.role = collection_for(  # type: ignore[attr-defined]
                request.user, int(match[1])
            )


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 where the database did not answer, 507 where the disk is full. The last two are drawn without the
    request, and 500 where drawing fails with it: nothing may go wrong here."""
    error = sys.exc_info()[1]
    status, title, text = 500, "", ""
    if disk_is_full(error):
        status, title, text = 507, "The disk is full", full_disk.WORDS
        logger.error("The disk of %s is full: %s could not be answered", settings.KOMA_DATA_DIR, request.path)
    elif isinstance(error, OperationalError | InterfaceError):
        status, title, text = 503, "The database is busy", BUSY
    if request.headers.get("HX-Request") == "true" and text:
        response = HttpResponse(status=status)
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": text, "error": True, "undo": False}})
        response.headers["HX-Reswap"] = "none"
        return response
    context = {"problem": title, "text": text, "again": request.get_full_path() if request.method == "GET" else ""}
    if status == 500:
        with suppress(Exception):
            return render(request, "500.html", context, status=status)
    return HttpResponse(render_to_string("500.html", context), status=status)
