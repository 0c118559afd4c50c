"""Rows of the history and dots of stages, by the macros in `templates/jinja2/ingest`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ingest.templatetags.forms import key_field
from ingest.views.macros import render_macro


@dataclass(slots=True)
class _Change:
    pk: int
    when: datetime
    who: str
    summary: str
    frame: int | None
    undone: bool
    may_undo: bool


def dots(states: Iterable[tuple[str, str]]) -> str:
    """A dot a stage, of pairs of its label and state; "" is a stage that was never run."""
    return render_macro("ingest/dots.html", "dots", states)


def changes(rows: Iterable[Any], *, undo: str, frame_base: str, token: str, may_undo: Callable[[Any], bool]) -> str:
    """The history's lines, of rows of Operation with `by__username` and the key of their only `frame`, or None.

    `undo` and `frame_base` are what addresses begin with that undo and that show a frame; `token` is the fields that a
    form needs.
    """
    lines = [
        _Change(
            pk=row.pk,
            when=row.at,
            who=row.by__username if row.by_id else row.model or "Koma",
            summary=row.summary,
            frame=row.frame,
            undone=bool(row.undone_at),
            may_undo=not row.undoes_id and may_undo(row),
        )
        for row in rows
    ]
    return render_macro("ingest/changes.html", "changes", lines, undo=undo, frame_base=frame_base, form_fields=token)


def form_fields(request: HttpRequest) -> SafeString:
    """What `{% csrf_token %}{% once %}` gives, for the forms of macros."""
    return format_html(
        '<input type="hidden" name="csrfmiddlewaretoken" value="{}">{}', get_token(request), key_field(request)
    )
