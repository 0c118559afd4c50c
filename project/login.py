"""Logging in, and no longer after too many wrong passwords. The admin site uses the same page."""

from __future__ import annotations

import ipaddress
import unicodedata
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import views
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from project.models import LoginFailure

WINDOW = timedelta(minutes=15)
# Within WINDOW: a person mistypes a few; one address may be an office; one name may be tried from many addresses.
OF_NAME_AND_ADDRESS, OF_ADDRESS, OF_NAME = 8, 60, 60
TOO_MANY = "too_many"


class LoginForm(AuthenticationForm):
    """Counts failures by name and address, whether or not there is such a person."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Name or password is wrong. Both tell capital letters from small ones.",
    }

    def clean(self) -> dict[str, Any]:
        """Refuse before the password is looked at; note a failure, forget those before a success."""
        request: HttpRequest = self.request  # type: ignore[assignment]
        name = unicodedata.normalize("NFKC", self.cleaned_data.get("username", "")).casefold()[:150]
        address = address_of(request)
        recent = LoginFailure.objects.filter(at__gt=timezone.now() - WINDOW)
        if (
            recent.filter(name=name, address=address).count() >= OF_NAME_AND_ADDRESS
            or recent.filter(address=address).count() >= OF_ADDRESS
            or recent.filter(name=name).count() >= OF_NAME
        ):
            minutes = WINDOW.seconds // 60
            raise ValidationError(f"Too many wrong passwords. Try again in {minutes} minutes.", code=TOO_MANY)
        try:
            cleaned = super().clean()
        except ValidationError:
            LoginFailure.objects.filter(at__lte=timezone.now() - WINDOW).delete()
            LoginFailure.objects.create(name=name, address=address)
            raise
        LoginFailure.objects.filter(name=name, address=address).delete()
        return cleaned


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
    """Where the request came from; of IPv6 the network, because one person has all of it.

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
