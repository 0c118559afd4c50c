"""The list of datasets, by the macros in `templates/jinja2/export`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ingest.views.macros import render_macro


def sets(entries: Iterable[Mapping[str, Any]], *, base: str, token: str, lead: bool) -> str:
    """A section a dataset, of entries as `jobs.exports` makes them.

    `base` is what their addresses begin with (then the key), `token` the fields that a form needs; leads may stop,
    resume and delete.
    """
    return render_macro("export/datasets.html", "datasets", entries, base=base, form_fields=token, can_lead=lead)
