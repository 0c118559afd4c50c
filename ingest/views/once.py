"""Handles a form that is sent twice only once: a double click, a connection lost before the response, a second try.

Each form has a key (`{% once %}`; static/js/forms.js renews it for each new submission). The same key with the same
fields at the same address is the same submission of the same person: the first request is handled, others wait for it
and get its result. Where the first one is refused or fails, or its process dies, the next one is handled; as long as it
is unfinished others get 503, so that nobody takes it for done.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.contrib import messages
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone

from ingest import alive
from ingest.models import SentForm
from ingest.views.responses import came_from, is_partial, refused, toast

logger = logging.getLogger(__name__)

KEY_MAX = 100
KEY = re.compile(rf"[!-~]{{1,{KEY_MAX}}}")  # it comes back in a cookie, and headers take no other characters
WAIT_S = 3.0  # for a first request that is still at work
LOOK_S = 0.05
# A dead process is known at once by `ingest.alive`; this long a live one may work, or may fail to say how it ended.
DEAD = timedelta(minutes=15)
RETRY_S = 3
NOT_DONE = "This is still being processed. Try again in a few seconds."
REDIRECTS = ("HX-Redirect", "HX-Location", "HX-Refresh")
View = TypeVar("View", bound=Callable[..., Any])


def own_key(view: View) -> View:
    """Decorator for views whose POST only reads, or which detect repeated requests by a key of their own."""
    view.own_key = True  # type: ignore[attr-defined]
    return view


def key_of(request: HttpRequest) -> str:
    """The idempotency key of the operation that this request writes; empty where the form has none."""
    return getattr(request, "once_mark", "")


class Once:
    """Middleware; the last one, so that all checks of the request come before it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Handle a form with a key, unless the same one was handled before."""
        user = getattr(request, "user", None)
        if request.method != "POST" or user is None or not user.is_authenticated or hasattr(view, "own_key"):
            return None
        key = request.POST.get("key", "")
        if not key:
            return None
        if not KEY.fullmatch(key):
            text = "The form's key is none that a page makes. Reload the page and send the form again."
            return refused(request, text, status=422, to=came_from(request))
        form_hash = request.once_mark = _form_hash(request, key)  # type: ignore[attr-defined]
        token = alive.process_name() + secrets.token_hex(10)
        row = _begin(int(user.pk or 0), form_hash, token)
        if row.token != token:
            return _with_done_cookie(request, _repeated(request, row), key) if row.done else _not_done(request)
        own_row = SentForm.objects.filter(pk=row.pk, token=token)
        try:
            response = view(request, *args, **kwargs)
        except BaseException:
            _end(own_row, None)
            raise
        is_done = response.status_code < 400 and not getattr(response, "is_refused", False)
        _end(own_row, _answer(response) if is_done else None)
        return _with_done_cookie(request, response, key) if is_done else response


def _with_done_cookie(request: HttpRequest, response: HttpResponse, key: str) -> HttpResponse:
    """Let the page behind a plain form know that it was saved: static/js/drafts.js then forgets what was typed."""
    if not is_partial(request):
        response.set_cookie("koma_done", key, max_age=60, samesite="Lax", secure=request.is_secure())
    return response


def _form_hash(request: HttpRequest, key: str) -> str:
    """Hash of the form: the same key with other fields is another submission."""
    digest = hashlib.sha256(f"{request.path}\n{key}\n".encode())
    for name, values in sorted(request.POST.lists()):
        if name not in ("key", "csrfmiddlewaretoken"):
            digest.update(f"{name!r}={values!r}\n".encode())
    for name, files in sorted(request.FILES.lists()):
        digest.update(f"{name!r}: {[(file.name, file.size) for file in files]!r}\n".encode())
    return digest.hexdigest()


def _begin(user: int, form_hash: str, token: str) -> SentForm:
    """The row of this submission, with our token where this request is to handle it."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with transaction.atomic():
                return SentForm.objects.create(user_id=user, mark=form_hash, at=timezone.now(), token=token)
        except IntegrityError:
            other = SentForm.objects.filter(user=user, mark=form_hash).first()
        if other is None:  # the first one was refused
            continue
        now = timezone.now()
        if not other.done and (other.at < now - DEAD or not alive.is_alive(other.token[: alive.NAME_CHARS])):
            if SentForm.objects.filter(pk=other.pk, token=other.token).update(token=token, at=now):
                other.token = token
                return other
            continue
        if other.done or time.monotonic() > until:
            return other
        time.sleep(LOOK_S)


def _end(own_row: Any, answer: dict[str, str] | None) -> None:
    """Store the answer; without one nothing was done and the form may be sent again."""
    try:
        if answer is None:
            own_row.delete()
        else:
            own_row.update(done=True, answer=answer)
    except DatabaseError:  # the work is done or refused all the same; the row counts as at work until it is dead
        logger.exception("a sent form could not be closed")


def _answer(response: HttpResponse) -> dict[str, str]:
    answer = {name: response.headers[name] for name in REDIRECTS if name in response.headers}
    if response.status_code in (301, 302, 303):
        answer["to"] = response.headers["Location"]
    return answer | {"words": str(getattr(response, "words", ""))[:500]}


def _repeated(request: HttpRequest, row: SentForm) -> HttpResponse:
    """The response to a form that was handled before."""
    words = row.answer.get("words", "")
    text = f"Already done: {words}" if words else "Already done."
    if is_partial(request):
        response = HttpResponse(status=204)
        for name in REDIRECTS:
            if name in row.answer:
                response.headers[name] = row.answer[name]
        return toast(response, text)
    messages.info(request, text)
    return HttpResponseRedirect(row.answer.get("to") or came_from(request))


def _not_done(request: HttpRequest) -> HttpResponse:
    """503 for a form whose first request is unfinished; for a plain form a page that sends it again, with its key."""
    if is_partial(request):
        response = refused(request, NOT_DONE, status=503, to="")
    else:
        fields = [(name, text) for name, texts in request.POST.lists() for text in texts]
        context = {
            "words": NOT_DONE,
            "fields": [field for field in fields if field[0] != "csrfmiddlewaretoken"],
            "with_files": bool(request.FILES),
            "back": came_from(request),
        }
        response = render(request, "ingest/not_done.html", context, status=503)
    response.headers["Retry-After"] = str(RETRY_S)
    return response
