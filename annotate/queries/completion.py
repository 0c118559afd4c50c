"""Tag completion: the shared vocabulary from process memory, a collection's own tags from the database."""

from __future__ import annotations

import threading
from typing import Any

from django.db import connection
from django.db.models import Case, Exists, OuterRef, Q, When

from annotate.algorithms.completion import INSIDE_MIN, Completion
from annotate.models import Tag, TagAlias, TagCount
from ingest.models import Collection

NAMES_MAX = 1_000_000  # names and aliases: about 40 MB; a larger vocabulary is searched in the database

OWN_MAX = 5_000  # tags of a collection that contain the text; with more, the database sorts

# Written out: it runs on every keystroke, and the ORM takes several times as long to build it.
_STAMP = "SELECT (SELECT MAX(changed_at) FROM annotate_tag WHERE common), (SELECT MAX(id) FROM annotate_tagalias)"

_guard = threading.Lock()
_cached: tuple[Any, Completion | None] | None = None  # with its stamp


def complete(collection: Collection, text: str, *, limit: int) -> list[Tag]:
    """Return the first of `Tag.objects.visible_in(collection).completing(text)`, without scanning all names."""
    typed = "_".join(text.lower().split())
    common = _common()
    visible = Tag.objects.visible_in(collection.pk)
    if not typed or common is None:
        return list(visible.completing(text)[:limit])
    kinds = {key: kind for kind, key in common.find(typed, limit=limit)}
    own_words = _words_of_collection(collection, typed)
    if len(own_words) >= OWN_MAX:
        return list(visible.completing(text)[:limit])
    ranked = own_words + [(kinds[key], tag) for key, tag in Tag.objects.in_bulk(list(kinds)).items()]
    ranked.sort(key=lambda entry: (entry[0], -entry[1].post_count, entry[1].name))
    return [tag for _, tag in ranked[:limit]]


def _words_of_collection(collection: Collection, typed: str) -> list[tuple[int, Tag]]:
    """Return at most OWN_MAX tags of the collection that are not in the vocabulary, with their kinds, unordered."""
    inside = len(typed) >= INSIDE_MIN
    named = Q(name__contains=typed) if inside else Q(name__startswith=typed)
    counted = TagCount.objects.filter(collection_id=collection.pk, tag_id=OuterRef("pk"), n__gt=0)
    spelled = Q(aliases__name__startswith=typed)
    rows = Tag.objects.filter(named | spelled, Exists(counted), common=False)
    tags: dict[int, tuple[int, Tag]] = {}
    for tag in rows.annotate(by_alias=Case(When(spelled, then=1), default=0)).order_by("name")[:OWN_MAX]:
        name = tag.name
        ways = (name == typed, name.startswith(typed), bool(getattr(tag, "by_alias", 0)), f"_{typed}" in name, True)
        kind = ways.index(True)
        tags[tag.pk] = (min(kind, tags.get(tag.pk, (kind,))[0]), tag)  # a row for each of its other spellings
    return list(tags.values())


def _common() -> Completion | None:
    """Return the current vocabulary, reloaded after an import; None where it is too large for memory."""
    global _cached
    with connection.cursor() as cursor:
        cursor.execute(_STAMP)
        stamp = cursor.fetchone()
    cached = _cached
    if cached is not None and cached[0] == stamp:
        return cached[1]
    with _guard:
        if _cached is None or _cached[0] != stamp:
            _cached = stamp, _read()
        return _cached[1]


def _read() -> Completion | None:
    rows = list(
        Tag.objects.filter(common=True).order_by("-post_count", "name").values_list("pk", "name")[: NAMES_MAX + 1]
    )
    aliases = list(TagAlias.objects.filter(tag__common=True).values_list("name", "tag_id")[: NAMES_MAX + 1])
    if len(rows) + len(aliases) > NAMES_MAX:
        return None
    return Completion([key for key, _ in rows], [name for _, name in rows], aliases)
