"""The Jinja2 environment for rows of long lists (`templates/jinja2`): macros that views call with plain values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.timezone import localtime
from jinja2 import Environment, StrictUndefined

from ingest import humane
from ingest.templatetags.humane import moment, score


def environment(**options: Any) -> Environment:
    """Return the environment: everything is escaped and nothing can be marked as safe; unknown names are errors."""
    options |= {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    options.pop("autoescape", None)  # Django's words for what is written out here
    jinja = Environment(autoescape=True, **options)
    del jinja.filters["safe"]
    for name in ("count", "filesize", "percent_of", "thousands", "timecode"):
        jinja.filters[name] = getattr(humane, name)
    jinja.filters |= {"minute": _minute, "moment": _moment, "score": score}
    return jinja


def _minute(when: datetime) -> str:
    return humane.minute(localtime(when))


def _moment(when: datetime) -> str:
    return moment(localtime(when))
