"""Headers of every response, HEAD, requests that are refused, and htmx requests whose session has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme

from project.errors import form_only

GetResponse = Callable[[HttpRequest], HttpResponseBase]
KEY_MAX = 2**63 - 1
HTMX_HEADERS = ("HX-Request", "HX-Target")  # which views read to answer with a page or a part of it


def content_security_policy(get_response: GetResponse) -> GetResponse:
    """Add the policy to each response that has none (files of users have a stricter one).

    Responses without a caching rule are private and revalidated each time. The browser's Back takes them without that:
    they vary by what htmx sends, or Back would show the part of the page that was fetched last in place of the page.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = "private, no-cache"
            patch_vary_headers(response, HTMX_HEADERS)
        return response

    return middleware


def head_without_body(get_response: GetResponse) -> GetResponse:
    """Answer HEAD with the headers alone, as the web server expects: a body would be read as the next answer."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "HEAD":
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            elif isinstance(response, HttpResponse):
                response.content = b""
        return response

    return middleware


def page_for_form_addresses(get_response: GetResponse) -> GetResponse:
    """Answer a page where an address that only takes forms is opened: without one the browser shows its own error."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = request.method == "GET" and request.headers.get("HX-Request") != "true"
        if response.status_code != HTTPStatus.METHOD_NOT_ALLOWED or not is_page:
            return response
        page = form_only(request)
        page.headers["Allow"] = response.headers["Allow"]
        return page

    return middleware


class CompressPages(GZipMiddleware):
    """Compresses pages and answers in JSON; never pictures and archives, which gzip cannot make smaller.

    The length of a compressed page tells nothing about secrets in it: Django adds random bytes, and masks its
    form tokens anew in each response.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Leave alone what comes as a stream or is neither HTML nor JSON."""
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if response.streaming or kind not in ("text/html", "application/json"):
            return response
        return super().process_response(request, response)


def login_for_htmx(get_response: GetResponse) -> GetResponse:
    """Turn a redirect to the login page into HX-Redirect: htmx would insert the login page into the page.

    After the login the person is back on the page that was open, not on the fragment that was asked for.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if response.status_code != 302 or request.headers.get("HX-Request") != "true":
            return response
        login = resolve_url(settings.LOGIN_URL)
        if urlsplit(response.headers["Location"]).path != login:
            return response
        answer = HttpResponse(status=204)
        answer.headers["HX-Redirect"] = f"{login}?{urlencode({'next': _open_page(request)})}"
        return answer

    return middleware


def _open_page(request: HttpRequest) -> str:
    """Path and query of the page that the browser shows, if it is ours; else the start page."""
    current = request.headers.get("HX-Current-URL", "")
    if not url_has_allowed_host_and_scheme(current, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(current)
    return "/" + parts.path.lstrip("/\\") + (f"?{parts.query}" if parts.query else "")


class RefuseUnstorable:
    """400 for a zero byte in a query or form, 404 for a key of more than 64 bits: no database takes them.

    Stands behind the CSRF check, which has read the form by then.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """Look at the query, the form and the parts of the address."""
        if any(isinstance(value, int) and value > KEY_MAX for value in kwargs.values()):
            raise Http404("No row has this number.")
        forms = (request.GET, request.POST) if request.method == "POST" else (request.GET,)
        texts = [text for form in forms for text in _texts(form)] + [v for v in kwargs.values() if isinstance(v, str)]
        if any("\0" in text for text in texts):
            raise SuspiciousOperation("A text in the request holds a zero byte.")


def _texts(form: QueryDict) -> Iterable[str]:
    for name, values in form.lists():
        yield name
        yield from values
