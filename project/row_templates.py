"""The Jinja2 environment for rows of long lists (`templates/jinja2`): macros that views call with plain values."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.utils.timezone import localtime
from jinja2 import Environment, StrictUndefined
from jinja2.ext import Extension

from ingest import humane
from ingest.templatetags.humane import moment, score

INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


class Unindented(Extension):
    """Templates are indented for those who read them; in thousands of rows that would be a tenth of the page."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """Return the source without the blanks that its lines begin with."""
        return INDENT.sub("", source)


def environment(**options: Any) -> Environment:
    """Return the environment: everything is escaped and nothing can be marked as safe; unknown names are errors."""
    options |= {"undefined": StrictUndefined, "trim_blocks": True, "extensions": [Unindented]}
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
