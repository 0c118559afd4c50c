"""Hidden fields that forms carry: the key by which one that is sent twice is known, and what the form showed."""

from __future__ import annotations

import secrets
from typing import Any

from django import template
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ingest.actions.seen import fingerprint

register = template.Library()


@register.simple_tag(takes_context=True)
def once(context: dict[str, Any]) -> SafeString:
    """The form's key; a form with one is done once however often it is sent (`ingest.views.once`)."""
    return key_field(context["request"])


def key_field(request: HttpRequest) -> SafeString:
    """The same for forms that are drawn as text. One key a page is enough: an act is known by its fields as well."""
    key = getattr(request, "form_key", "")
    if not key:
        key = request.form_key = secrets.token_urlsafe(12)  # type: ignore[attr-defined]
    return format_html('<input type="hidden" name="key" value="{}">', key)


@register.simple_tag
def seen(*values_shown: Any) -> SafeString:
    """What a form that replaces values shows: pairs of a row and its field names, or one dictionary of values."""
    if len(values_shown) == 1:
        return seen_field(dict(values_shown[0]))
    values: dict[str, Any] = {}
    for row, names in zip(values_shown[::2], values_shown[1::2], strict=True):
        values |= _values(row, names.split())
    return seen_field(values)


def seen_field(values: dict[str, Any]) -> SafeString:
    """The same for forms that are drawn as text."""
    return format_html('<input type="hidden" name="seen" value="{}">', fingerprint(values))


def _values(row: Model | None, names: list[str]) -> dict[str, Any]:
    return {name: "" if row is None else getattr(row, name) for name in names}
