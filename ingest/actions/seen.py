"""What a form showed when somebody began to fill it in: so nobody replaces what they did not see.

A form that replaces values sends `mark(values)` as `seen` (`{% seen %}` in templates). The action holds that against
the row as it is now, locked: a field that its sender left alone keeps what others wrote; one that both changed raises
Stale, with both answers to choose from. Faces and characters have a version number instead; the answer is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import models

from ingest.errors import Stale
from ingest.models import Revision

HASH_CHARS = 12


def mark(values: Mapping[str, Any]) -> str:
    """The values by name as short hashes: `name:3fa9...`, parted by spaces."""
    return " ".join(f"{name}:{_hash(value)}" for name, value in values.items())


def changed(
    sent: str | None,
    *,
    now: Mapping[str, Any],
    wanted: Mapping[str, Any],
    who: str,
    what: str,
    labels: Mapping[str, str] | None = None,
    whole: bool = False,
) -> dict[str, Any]:
    """The wanted values that are to be written, given those of `now` and the mark that the form sent.

    `who` wrote `now`; `what` is what they changed, in words. `whole`: values that belong together, so that no field of
    theirs is mixed with ours. Without a mark (a command, no form) all wanted values. Raises Stale.
    """
    fresh = {name: value for name, value in wanted.items() if _plain(value) != _plain(now[name])}
    if sent is None:
        return fresh
    shown = dict(part.split(":", 1) for part in sent.split() if ":" in part)
    theirs = {name for name in fresh if shown.get(name) != _hash(now[name])}
    mine = {name for name in fresh if shown.get(name) != _hash(wanted[name])}
    both = set(fresh) if whole and theirs else theirs & mine
    if both:
        names = {name: (labels or {}).get(name) or name.replace("_", " ") for name in fresh if name in both}
        raise Stale(
            f"{who} changed {what} meanwhile.",
            theirs=[(label, in_words(now[name])) for name, label in names.items()],
            mine=[(label, in_words(wanted[name])) for name, label in names.items()],
            resend={"seen": [mark(now)]},
        )
    return {name: value for name, value in fresh.items() if name in mine}


def last_by(*rows: models.Model, names: Sequence[str] = ()) -> str:
    """Who changed one of these rows (or these of its fields) last, by the history; "Somebody" where it does not say."""
    which = models.Q(pk__in=())
    for row in rows:
        which |= models.Q(model=row._meta.label, object_id=row.pk)
    found = Revision.objects.filter(which)
    return author(found.filter(after__has_any_keys=list(names)) if names else found)


def author(revisions: models.QuerySet[Revision]) -> str:
    """Who wrote the newest of some revisions."""
    newest = revisions.select_related("operation__by").order_by("-pk").first()
    by = newest.operation.by if newest is not None else None
    return by.get_username() if by is not None else "Somebody"


def in_words(value: Any) -> str:
    """A value as a person reads it."""
    if value is None or value == "" or value == []:
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(one) for one in value)
    return str(value)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _hash(value: Any) -> str:
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
