"""How figures are written everywhere: 12,480; 12:07.4; 3 min; 0.93."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template

from ingest.algorithms import tag_words

register = template.Library()


@register.filter
def thousands(value: Any) -> str:
    """12480 -> 12,480; None -> an en dash."""
    return "–" if value is None else f"{int(value):,}"


@register.filter
def timecode(seconds: Any) -> str:
    """727.42 -> 12:07.4; an hour and more -> 1:02:07.4."""
    tenths = int(float(seconds or 0) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{text}" if hours else text


@register.filter(expects_localtime=True)
def minute(at: datetime | None) -> str:
    """2026-01-05 17:04; an empty text for None. The filter `date` reads its format anew for each."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


@register.filter(expects_localtime=True)
def moment(at: datetime) -> str:
    """2026-01-05T17:04:09+00:00, for machines."""
    return at.isoformat()


@register.filter
def duration(seconds: Any) -> str:
    """0.4 -> under 1 s; 42 -> 42 s; 200 -> 3 min; 5000 -> 1 h 23 min."""
    value = float(seconds or 0)
    if value < 1:
        return "under 1 s"
    if value < 90:
        return f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.0f} min"
    hours, minutes = divmod(round(value / 60), 60)
    return f"{hours} h {minutes} min"


@register.filter
def score(value: Any) -> str:
    """0.9341 -> 0.93; None -> an empty text."""
    return "" if value is None else f"{float(value):.2f}"


@register.filter
def percent_of(part: Any, whole: Any) -> int:
    """Whole percent, 0 when the whole is 0."""
    return round(100 * float(part or 0) / float(whole)) if whole else 0


@register.filter
def spaced(name: Any) -> str:
    """A counter's or tag's name for reading: underscores become spaces, but not in kaomoji."""
    return tag_words.spaced(str(name))


@register.filter
def filesize(size: Any) -> str:
    """Bytes in powers of 1000: 1.2 GB."""
    value = float(size or 0)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit in ("B", "kB") else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
