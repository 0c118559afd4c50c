"""A form that is sent twice is done once: a double click, a line that broke before the answer came, a second try.

Each form carries a key (`{% once %}`; static/js/forms.js gives a fresh one to each new act). The same key with the same
fields at the same address is the same act of the same person: the first request does it, any other waits for that one
and is told what it did. Where the first one is refused or breaks, the next may do it.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.contrib import messages
from django.db import DatabaseError, IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils import timezone

from ingest.models import SentForm
from ingest.views.answers import came_from, is_partial, toast

logger = logging.getLogger(__name__)

KEY_MAX = 100
WAIT_S = 3.0  # for a first request that is still at work
LOOK_S = 0.05
DEAD = timedelta(minutes=15)  # a request at work for longer has died with its process
KEEP = timedelta(days=2)
REDIRECTS = ("HX-Redirect", "HX-Location", "HX-Refresh")
View = TypeVar("View", bound=Callable[..., Any])


def own_key(view: View) -> View:
    """Decorator of views that only read what is posted, or that know twice sent forms by a key of their own."""
    view.own_key = True  # type: ignore[attr-defined]
    return view


def key_of(request: HttpRequest) -> str:
    """The idempotency key for the operation that this request writes; empty where the form carried none."""
    return getattr(request, "once_mark", "")


class Once:
    """Middleware; stands last, so that all checks of the request are behind it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        """Do what a form with a key asks for, unless that was done before."""
        user = getattr(request, "user", None)
        if request.method != "POST" or user is None or not user.is_authenticated or hasattr(view, "own_key"):
            return None
        key = request.POST.get("key", "")
        if not key:
            return None
        mark = request.once_mark = _mark(request, key[:KEY_MAX])  # type: ignore[attr-defined]
        token = secrets.token_hex(16)
        row = _begin(int(user.pk or 0), mark, token)
        if row.token != token:
            return _tell_done(request, _again(request, row), key)
        mine = SentForm.objects.filter(pk=row.pk, token=token)
        try:
            response = view(request, *args, **kwargs)
        except BaseException:
            _end(mine, None)
            raise
        is_done = response.status_code < 400 and not getattr(response, "is_refused", False)
        _end(mine, _answer(response) if is_done else None)
        return _tell_done(request, response, key) if is_done else response


def _tell_done(request: HttpRequest, response: HttpResponse, key: str) -> HttpResponse:
    """Let the page behind a plain form know that it was done: static/js/drafts.js forgets what was typed in it."""
    if not is_partial(request):
        response.set_cookie("koma_done", key, max_age=60, samesite="Lax", secure=request.is_secure())
    return response


def tidy() -> int:
    """Forget what was sent days ago; returns how many."""
    return SentForm.objects.filter(at__lt=timezone.now() - KEEP).delete()[0]


def _mark(request: HttpRequest, key: str) -> str:
    """Hash of who is meant to do what: the same key under other fields is another act."""
    digest = hashlib.sha256(f"{request.path}\n{key}\n".encode())
    for name, values in sorted(request.POST.lists()):
        if name not in ("key", "csrfmiddlewaretoken"):
            digest.update(f"{name!r}={values!r}\n".encode())
    for name, files in sorted(request.FILES.lists()):
        digest.update(f"{name!r}: {[(file.name, file.size) for file in files]!r}\n".encode())
    return digest.hexdigest()


def _begin(user: int, mark: str, token: str) -> SentForm:
    """The row of this act, with our token where we are to do it."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            with transaction.atomic():
                return SentForm.objects.create(user_id=user, mark=mark, at=timezone.now(), token=token)
        except IntegrityError:
            other = SentForm.objects.filter(user=user, mark=mark).first()
        if other is None:  # the first one was refused
            continue
        now = timezone.now()
        if not other.done and other.at < now - DEAD:
            if SentForm.objects.filter(pk=other.pk, token=other.token).update(token=token, at=now):
                other.token = token
                return other
            continue
        if other.done or time.monotonic() > until:
            return other
        time.sleep(LOOK_S)


def _end(mine: Any, answer: dict[str, str] | None) -> None:
    """Keep what was answered; without an answer nothing was done and the form may be sent again."""
    try:
        if answer is None:
            mine.delete()
        else:
            mine.update(done=True, answer=answer)
    except DatabaseError:  # the work is done or refused all the same; the row counts as at work until it is dead
        logger.exception("a sent form could not be closed")


def _answer(response: HttpResponse) -> dict[str, str]:
    found = {name: response.headers[name] for name in REDIRECTS if name in response.headers}
    if response.status_code in (301, 302, 303):
        found["to"] = response.headers["Location"]
    return found | {"words": str(getattr(response, "words", ""))[:500]}


def _again(request: HttpRequest, row: SentForm) -> HttpResponse:
    """The kind answer to a form that came again."""
    words = row.answer.get("words", "")
    text = f"Already done: {words}" if words else "Already done."
    if not row.done:
        text = "This was sent a moment ago and is still being worked on."
    if is_partial(request):
        response = HttpResponse(status=204)
        for name in REDIRECTS:
            if name in row.answer:
                response.headers[name] = row.answer[name]
        return toast(response, text)
    messages.info(request, text)
    return HttpResponseRedirect(row.answer.get("to") or came_from(request))
