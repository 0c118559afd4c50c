"""Login with a limit on wrong passwords. The admin site uses the same page."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from ingest.algorithms.normal_form import normal
from ingest.views import members
from project.models import LoginFailure

WINDOW = timedelta(minutes=15)
# Within WINDOW: a person mistypes a few; one address may be an office; one name may be tried from many addresses.
OF_NAME_AND_ADDRESS, OF_ADDRESS, OF_NAME = 8, 60, 60
TOO_MANY = "too_many"
INVITATION = "(invitation)"  # in place of a name; no name holds brackets
ATTEMPTS_LOCK = 0x6B6F6D62


class TooMany(ValidationError):
    """Too many recent attempts failed; the secret was not checked."""

    def __init__(self) -> None:
        super().__init__(f"Too many wrong passwords. Try again in {WINDOW.seconds // 60} minutes.", code=TOO_MANY)


class Attempt:
    """One attempt at a secret. It counts as a failure before the secret is checked, until it has `succeeded`.

    So of many tries at the same moment no more are looked at than may fail: counting them one after the other is
    what a lock of PostgreSQL, or SQLite's one writer, makes of it.
    """

    def __init__(self, request: HttpRequest, name: str) -> None:
        """Record the attempt. Raises TooMany and then records nothing, so that trying does not extend the wait."""
        self.name = normal(name, "NFKC").casefold()[:150]
        self.address = address_of(request)
        since = timezone.now() - WINDOW
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ATTEMPTS_LOCK])
            LoginFailure.objects.filter(at__lte=since).delete()
            recent = LoginFailure.objects.filter(at__gt=since)
            if (
                recent.filter(name=self.name, address=self.address).count() >= OF_NAME_AND_ADDRESS
                or recent.filter(address=self.address).count() >= OF_ADDRESS
                or recent.filter(name=self.name).count() >= OF_NAME
            ):
                raise TooMany
            self.row = LoginFailure.objects.create(name=self.name, address=self.address)

    def succeeded(self) -> None:
        """Forget this name's failures from this address."""
        LoginFailure.objects.filter(name=self.name, address=self.address).delete()

    def was_none(self) -> None:
        """Forget this attempt only."""
        self.row.delete()


class LoginForm(AuthenticationForm):
    """Counts failures by name and address, whether or not there is such a person."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Wrong name or password. Both are case-sensitive.",
    }

    def clean(self) -> dict[str, Any]:
        """Refuse before the password is looked at; forget the failures before a success."""
        request: HttpRequest = self.request  # type: ignore[assignment]
        attempt = Attempt(request, self.cleaned_data.get("username", ""))
        cleaned = super().clean()
        attempt.succeeded()
        return cleaned


class NewPasswordForm(PasswordChangeForm):
    """Asks for the old password; wrong ones count as at the login page, so that an open session is no way to guess."""

    request: HttpRequest

    def clean_old_password(self) -> str:
        """Refuse before the old password is looked at after too many wrong ones."""
        attempt = Attempt(self.request, self.user.get_username())
        old: str = super().clean_old_password()
        attempt.succeeded()
        return old


class PasswordChangeView(views.PasswordChangeView):
    """429 while too many failures are remembered."""

    form_class = NewPasswordForm
    success_url = "/"

    def get_form(self, form_class: Any = None) -> Any:
        """The form knows where the request comes from."""
        form = super().get_form(form_class)
        form.request = self.request  # type: ignore[attr-defined]
        return form

    def form_invalid(self, form: Any) -> HttpResponse:
        """The page again, with its words."""
        response = super().form_invalid(form)
        if form.has_error("old_password", code=TOO_MANY):
            response.status_code = 429
        return response


@login_not_required
@sensitive_post_parameters("password", "token")
def join(request: HttpRequest) -> HttpResponse:
    """The page behind an invitation, with a limit on tried links."""
    if request.method != "POST":
        return members.join(request)
    try:
        attempt = Attempt(request, INVITATION)
    except TooMany:
        problem = f"Too many links tried from this address. Try again in {WINDOW.seconds // 60} minutes."
        return render(request, "ingest/join.html", {"problem": problem}, status=429)
    response = members.join(request)
    if response.status_code != 404:
        attempt.was_none()
    return response


class LoginView(views.LoginView):
    """429 while too many failures are remembered."""

    authentication_form = LoginForm
    redirect_authenticated_user = True

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """The page again, with its words."""
        response = super().form_invalid(form)
        if form.has_error("__all__", code=TOO_MANY):
            response.status_code = 429
        return response


def address_of(request: HttpRequest) -> str:
    """The address of the client; for IPv6 its /64 network, which belongs to one person.

    X-Forwarded-For counts only behind our own proxy, and of it only the last entry, which the proxy wrote.
    """
    text = request.META.get("REMOTE_ADDR", "")
    if settings.KOMA_HTTPS_PROXY:
        text = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip() or text
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((address.packed, 64), strict=False))
    return str(address)
