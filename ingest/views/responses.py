"""Responses of views: toasts and error messages, for htmx and for plain forms."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from ingest.errors import Conflict, KomaError, Stale
from ingest.locking import is_turn_taking, retried


def is_partial(request: HttpRequest) -> bool:
    """True when htmx asks for a part of the page."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted


def toast(response: HttpResponse, text: str, *, error: bool = False, undo: bool = False) -> HttpResponse:
    """Add a toast to an htmx response; keeps triggers that the view has set."""
    triggers = json.loads(response.headers.get("HX-Trigger", "{}"))
    triggers["toast"] = {"text": text, "error": error, "undo": undo}
    response.headers["HX-Trigger"] = json.dumps(triggers)  # ASCII only: header values cannot carry names in Japanese
    return worded(response, text)


def worded(response: HttpResponse, text: str) -> HttpResponse:
    """Attach the message to a response, for repeated submissions of the same form."""
    response.words = text  # type: ignore[attr-defined]
    return response


def success(
    request: HttpRequest, text: str, *, to: str, partial: HttpResponse | None = None, undo: bool = False
) -> HttpResponse:
    """After a change: for htmx the partial (or 204) with a toast, for a plain form a message and a redirect to `to`."""
    if is_partial(request):
        return toast(partial if partial is not None else HttpResponse(status=204), text, undo=undo)
    messages.success(request, text, extra_tags="undo" if undo else "")
    return worded(HttpResponseRedirect(to), text)


def refused(request: HttpRequest, text: str, *, status: int, to: str) -> HttpResponse:
    """A change that was refused: an error toast with the status for htmx, a message and redirect for a plain form."""
    if is_partial(request):
        response = HttpResponse(status=status)
        response.headers["HX-Reswap"] = "none"
        return toast(response, text, error=True)
    messages.error(request, text)
    response = HttpResponseRedirect(to)
    response.is_refused = True  # type: ignore[attr-defined]
    return response


def seen(request: HttpRequest) -> str | None:
    """The fingerprint of what the form showed, for the action; None where no form sent it."""
    return request.POST.get("seen")


def both_answers(request: HttpRequest, error: Stale) -> HttpResponse:
    """409 with both answers and a form that sends the user's again: a dialog for htmx, a page for a plain form."""
    sent = {name: values for name, values in request.POST.lists() if name not in ("csrfmiddlewaretoken", "key")}
    fields = [(name, value) for name, values in (sent | error.resend).items() for value in values]
    context = {
        "error": error,
        "fields": fields,
        "address": error.address or request.get_full_path(),
        "back": open_page(request) if is_partial(request) else came_from(request),
    }
    template = "partials/both.html" if is_partial(request) else "ingest/both.html"
    response = render(request, template, context, status=409)
    if is_partial(request):
        response.headers["HX-Retarget"], response.headers["HX-Reswap"] = "#both", "innerHTML"
        response.headers["HX-Trigger"] = json.dumps({"toast": {"text": error.message, "error": True, "undo": False}})
    return response


def open_page(request: HttpRequest) -> str:
    """The path of the page that the htmx request comes from."""
    return _own_path(request, request.headers.get("HX-Current-URL", ""))


def errors_in_words(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator: KomaError raised by an action becomes a toast or message (409 for a conflict, 422 for bad input).

    Goes below the access decorator. A plain form returns to the page it came from (same host only). Where the database
    rolled the change back in favour of another one, the view is retried; not where the request has files, which can be
    read only once.
    """

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if not _can_run_again(request):
                return view(request, *args, **kwargs)
            return retried(lambda: view(request, *args, **kwargs))
        except Stale as error:
            return both_answers(request, error)
        except KomaError as error:
            status = 409 if isinstance(error, Conflict) else 422 if error.permanent else 503
            return refused(request, error.message, status=status, to=came_from(request))
        except DatabaseError as error:
            if not is_turn_taking(error):
                raise
            text = "The database is busy with another change; nothing was saved. Try again."
            return refused(request, text, status=503, to=came_from(request))

    return wrapped


def _can_run_again(request: HttpRequest) -> bool:
    """Whether the request can be retried: a form without files, or a GET."""
    form = request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data", "")
    return request.method in ("GET", "HEAD") or (form and not request.FILES)


def came_from(request: HttpRequest) -> str:
    """The path of the page that sent the form, if it is of this site; else the start page."""
    return _own_path(request, request.headers.get("Referer", ""))


def _own_path(request: HttpRequest, address: str) -> str:
    if address and url_has_allowed_host_and_scheme(address, allowed_hosts={request.get_host()}):
        parts = urlsplit(address)
        # One slash: a path that begins with two would be another host.
        return "/" + parts.path.lstrip("/\\") + (f"?{parts.query}" if parts.query else "")
    return "/"
