"""How figures are written on pages: `ingest.humane` as filters, and 0.93 for a score."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils.html import format_html

from ingest import humane
from ingest.algorithms import tag_words

register = template.Library()
register.filter("thousands", humane.thousands)
register.filter("filesize", humane.filesize)
register.filter("timecode", humane.timecode)
register.filter("minute", humane.minute, expects_localtime=True)
register.filter("duration", humane.duration)
register.filter("percent_of", humane.percent_of)


@register.filter
def count(number: Any, noun: str) -> str:
    """`{{ n|count:"face" }}` -> 3 faces; `{{ n|count:"entry,entries" }}` where an s at the end is not enough."""
    singular, _, plural = noun.partition(",")
    return humane.count(int(number or 0), singular, plural)


@register.filter(expects_localtime=True)
def moment(when: datetime) -> str:
    """2026-01-05T17:04:09+00:00, for machines."""
    return when.isoformat()


@register.filter(expects_localtime=True)
def ago(when: datetime | None) -> str:
    """A <time> with the minute; static/js/ago.js turns it into "2 min ago" and keeps the minute as its title."""
    if when is None:
        return ""
    return format_html('<time datetime="{}">{}</time>', moment(when), humane.minute(when))


@register.filter
def score(value: Any) -> str:
    """0.9341 -> 0.93; None -> an empty text."""
    return "" if value is None else f"{float(value):.2f}"


@register.filter
def percent(value: Any) -> str:
    """0.9341 -> 93 %; None -> an empty text."""
    return "" if value is None else f"{100 * float(value):.0f} %"


@register.filter
def spaced(name: Any) -> str:
    """A counter's or tag's name for reading: underscores become spaces, but not in kaomoji."""
    return tag_words.spaced(str(name))
