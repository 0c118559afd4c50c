"""Calls macros of the Jinja2 templates in `templates/jinja2`: rows of which a page has dozens or thousands."""

from __future__ import annotations

from typing import Any

from django.template import engines


def render_macro(template: str, macro: str, /, *args: Any, **values: Any) -> str:
    """The HTML that a macro makes of plain values. It is escaped, and known as such to both kinds of templates.

    Raises jinja2.UndefinedError for a name that the macro does not get.
    """
    html: str = getattr(engines["jinja2"].env.get_template(template).module, macro)(*args, **values)  # type: ignore[attr-defined]
    return html
