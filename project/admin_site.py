"""Django's admin site, for site admins only and behind the same login page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator


class KomaAdminSite(admin.AdminSite):
    """Staff who are not superusers may not enter: whoever edits people could raise their own rights."""

    site_header = site_title = "Koma"

    def has_permission(self, request: HttpRequest) -> bool:
        """Only active superusers."""
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def password_change(  # type: ignore[override]
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """No second form that asks for the old password without counting wrong ones."""
        return redirect("password_change")

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No second login form, which would count no failures."""
        if request.user.is_authenticated:
            raise PermissionDenied("The admin site is for site admins.")
        return redirect_to_login(request.GET.get("next") or "/admin/")
