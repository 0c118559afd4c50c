"""Keeps people from replacing values that they have not seen.

A form that replaces values sends `fingerprint(values)` as `seen` (`{% seen %}` in templates). The action compares that
with the row as it is now, locked: a field that its sender left alone keeps what others wrote; one that both changed
raises Stale, with both answers to choose from. Faces and characters have a version number instead; the answer is the
same.
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


def fingerprint(values: Mapping[str, Any]) -> str:
    """The values by name as short hashes, separated by spaces: `name:3fa9...`."""
    return " ".join(f"{name}:{_hash(value)}" for name, value in values.items())


def changed(
    sent: str | None,
    *,
    now: Mapping[str, Any],
    new: Mapping[str, Any],
    who: str,
    what: str,
    labels: Mapping[str, str] | None = None,
    together: bool = False,
) -> dict[str, Any]:
    """The `new` values to write, given the current ones (`now`) and the fingerprint that the form `sent`.

    `who` wrote `now`; `what` is what they changed, in words. `together`: the values belong together, so none of theirs
    is mixed with one that was sent. Without a fingerprint (a command, no form) all new values. Raises Stale.
    """
    fresh = {name: value for name, value in new.items() if _as_json(value) != _as_json(now[name])}
    if sent is None:
        return fresh
    seen_hashes = dict(part.split(":", 1) for part in sent.split() if ":" in part)
    changed_by_others = {name for name in fresh if seen_hashes.get(name) != _hash(now[name])}
    changed_here = {name for name in fresh if seen_hashes.get(name) != _hash(new[name])}
    both = set(fresh) if together and changed_by_others else changed_by_others & changed_here
    if both:
        names = {name: (labels or {}).get(name) or name.replace("_", " ") for name in fresh if name in both}
        raise Stale(
            f"{who} changed {what} in the meantime.",
            stored=[(label, in_words(now[name])) for name, label in names.items()],
            sent=[(label, in_words(new[name])) for name, label in names.items()],
            resend={"seen": [fingerprint(now)]},
        )
    return {name: value for name, value in fresh.items() if name in changed_here}


def last_by(*rows: models.Model, names: Sequence[str] = ()) -> str:
    """Who last changed one of these rows (or these fields of them); "Somebody" where the history does not say."""
    which = models.Q(pk__in=())
    for row in rows:
        which |= models.Q(model=row._meta.label, object_id=row.pk)
    revisions = Revision.objects.filter(which)
    return author(revisions.filter(after__has_any_keys=list(names)) if names else revisions)


def author(revisions: models.QuerySet[Revision]) -> str:
    """Who wrote the newest of these revisions."""
    newest = revisions.select_related("operation__by").order_by("-pk").first()
    by = newest.operation.by if newest is not None else None
    return by.get_username() if by is not None else "Somebody"


def in_words(value: Any) -> str:
    """A value for messages."""
    if value is None or value == "" or value == []:
        return "(empty)"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(in_words(item) for item in value)
    return str(value)


def _as_json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def _hash(value: Any) -> str:
    text = json.dumps(_as_json(value), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARS]
