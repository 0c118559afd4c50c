"""Hidden fields that forms carry: the key by which one that is sent twice is known."""

from __future__ import annotations

import secrets
from typing import Any

from django import template
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag(takes_context=True)
def once(context: dict[str, Any]) -> SafeString:
    """The form's key; a form with one is done once however often it is sent (`ingest.once`)."""
    return key_field(context["request"])


def key_field(request: HttpRequest) -> SafeString:
    """The same for forms that are drawn as text. One key a page is enough: an act is known by its fields as well."""
    key = getattr(request, "form_key", "")
    if not key:
        key = request.form_key = secrets.token_urlsafe(12)  # type: ignore[attr-defined]
    return format_html('<input type="hidden" name="key" value="{}">', key)
