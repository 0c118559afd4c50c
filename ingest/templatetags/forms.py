"""Fields of forms: with a label, and the hidden ones (the key of a form that is sent once, what the form showed)."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from typing import Any

from django import template
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
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


@register.simple_tag
def post_to(name: str, *args: Any) -> SafeString:
    """Attributes of a form that is sent to a named address: by htmx, and by the browser itself without scripts."""
    address = reverse(name, args=args)
    return format_html('method="post" action="{}" hx-post="{}"', address, address)


@register.inclusion_tag("fields/options.html")
def option_list(options: Iterable[Any], chosen: Any) -> dict[str, Any]:
    """Options of a select: pairs of value and label, or plain values that are their own labels."""
    return {"options": _pairs(options), "chosen": chosen}


@register.inclusion_tag("fields/select.html")
def select_field(name: str, label: str, options: Iterable[Any], chosen: Any, *, grow: bool = False) -> dict[str, Any]:
    """A labelled select; options as in `option_list`."""
    return {"name": name, "label": label, "options": _pairs(options), "chosen": chosen, "grow": grow}


@register.inclusion_tag("fields/input.html")
def text_field(name: str, label: str, value: Any, *, grow: bool = False, **attributes: Any) -> dict[str, Any]:
    """A labelled line of text; None is empty. More keywords are attributes of the input."""
    return {"name": name, "label": label, "value": value, "grow": grow, "attributes": attributes.items()}


@register.inclusion_tag("fields/input.html")
def number_field(name: str, label: str, value: Any, **attributes: Any) -> dict[str, Any]:
    """A labelled number; None is empty. More keywords (`min`, `max`, `step`) are attributes of the input."""
    return {"name": name, "label": label, "value": value, "attributes": ({"type": "number"} | attributes).items()}


@register.inclusion_tag("fields/check.html")
def check_field(name: str, label: str, checked: Any) -> dict[str, Any]:
    """A checkbox before its label; browsers send "on"."""
    return {"name": name, "label": label, "checked": checked}


@register.inclusion_tag("fields/check.html")
def check_of(name: str, label: str, value: Any, chosen: Collection[Any]) -> dict[str, Any]:
    """One of several checkboxes of a name; checked if its value is among the chosen ones."""
    return {"name": name, "label": label, "value": value, "checked": value in chosen}


def _pairs(options: Iterable[Any]) -> list[tuple[Any, Any]]:
    return [tuple(option) if isinstance(option, tuple | list) else (option, option) for option in options]


def _values(row: Model | None, names: list[str]) -> dict[str, Any]:
    return {name: "" if row is None else getattr(row, name) for name in names}
