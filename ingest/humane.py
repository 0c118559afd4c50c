"""How figures are written on pages, in messages and by commands: 12,480; 3 faces; 1.2 GB; 12:07.4; 3 min."""

from __future__ import annotations

from datetime import datetime
from typing import Any

UNITS = ("B", "kB", "MB", "GB", "TB")  # powers of 1000, as disks and browsers count; numbers.js writes the same


def thousands(value: Any) -> str:
    """12480 -> 12,480; None -> an en dash."""
    return "–" if value is None else f"{int(value):,}"


def count(number: int, noun: str, plural: str = "") -> str:
    """1 -> 1 face; 1200 -> 1,200 faces. `plural` where an s at the end is not enough."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def filesize(size: Any) -> str:
    """Bytes as 999 B, 12 kB, 1.2 MB, 1.2 GB or 1.2 TB: the largest unit of which there is one; None -> 0 B."""
    value = float(size or 0)
    for unit in UNITS:
        digits = 0 if unit in ("B", "kB") else 1
        if round(value, digits) < 1000 or unit == UNITS[-1]:
            break
        value /= 1000
    return f"{value:,.{digits}f} {unit}"


def timecode(seconds: Any) -> str:
    """727.42 -> 12:07.4; an hour and more -> 1:02:07.4."""
    tenths = int(float(seconds or 0) * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{text}" if hours else text


def minute(when: datetime | None) -> str:
    """2026-01-05 17:04; an empty text for None. Django's filter `date` reads its format anew for each."""
    return "" if when is None else f"{when:%Y-%m-%d %H:%M}"


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


def percent_of(part: Any, total: Any) -> int:
    """Percent without decimals, 0 when the total is 0."""
    return round(100 * float(part or 0) / float(total)) if total else 0
