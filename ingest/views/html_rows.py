"""Draws what lists have many of as text; a template takes ten times as long for each. Everything is escaped here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime

from ingest.humane import minute
from ingest.templatetags.forms import key_field


def dots(states: Iterable[tuple[str, str]], *, between: str = " ") -> SafeString:
    """A dot a stage, of pairs of its label and state; "" is a stage that was never run."""
    return mark_safe(
        "".join(
            f'<span class="dot {escape(state)}" title="{escape(label)}: {escape(state or "not run")}"></span>{between}'
            for label, state in states
        )
    )


def changes(rows: Iterable[Any], *, undo: str, token: str, may_undo: Callable[[Any], bool]) -> SafeString:
    """The history's lines, of rows of Operation with `by__username`. `undo` is what addresses begin with that undo;
    `token` is the field that a form needs."""
    drawn = []
    for row in rows:
        at = localtime(row.at)
        who = row.by__username if row.by_id else row.model or "Koma"
        last = ""
        if row.undone_at:
            last = '<span class="dim">undone</span>'
        elif not row.undoes_id and may_undo(row):
            last = f'<form method="post" action="{undo}{row.pk}/">{token}<button class="btn quiet">Undo</button></form>'
        drawn.append(
            f'<tr><td class="dim"><time datetime="{at.isoformat()}">{minute(at)}</time></td><td>{escape(who)}</td>'
            f'<td>{escape(row.summary)}</td>\n<td class="num">{last}</td></tr>\n'
        )
    return mark_safe("".join(drawn))


def form_fields(request: HttpRequest) -> str:
    """What `{% csrf_token %}{% once %}` gives, for forms that are drawn as text."""
    return f'<input type="hidden" name="csrfmiddlewaretoken" value="{get_token(request)}">{key_field(request)}'
