"""What the end of a query on the frames page may become while somebody types it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from django.db.models import Q

from annotate.algorithms.completion import INSIDE_MIN
from annotate.algorithms.query import KEYS
from annotate.models import Character, Tag, TagCount, TagState
from annotate.queries.search import IS_VALUES, reasons_meant
from ingest.algorithms.tag_words import spaced
from ingest.humane import count
from ingest.models import Collection, DropReason, FrameState

WORDS_MAX = 3  # of a name that is written with spaces
MATCHES_MAX = 500  # tags whose frames are compared; with more, one letter more tells them apart
VALUES = {"is": IS_VALUES, "state": (*FrameState.values, "all"), "reason": DropReason.values}
_VALUE = re.compile(r"(?:^|.*[\s,])-?(\w+):(\w*)")


def complete_query(collection: Collection, text: str, *, limit: int) -> list[tuple[str, str]]:
    """Return queries that begin with `text` and end in a name, each with a label: characters, the collection's tags by
    falling count, filters and their values."""
    value = _VALUE.fullmatch(text)
    if value is not None and value[1] in VALUES:
        head = text[: value.start(2)]
        if value[1] == "reason":
            return [(head + word, str(DropReason(word).label)) for word in reasons_meant(value[2], begun=True)][:limit]
        return [(head + word, "") for word in VALUES[value[1]] if word.startswith(value[2])][:limit]
    rows: list[tuple[str, str]] = []
    for head, key, words in _ends(text):
        if key in ("", "character"):
            rows += [(f"{head}{_quoted(name)}", "character") for name in _characters(collection, words, limit)]
        if key in ("", "tag"):
            tags = _tags(collection, "_".join(words.lower().split()), limit)
            rows += [(f"{head}{name if key else spaced(name)}", count(n, "frame")) for name, n in tags]
        if not key and " " not in words:
            rows += [(f"{head}{name}:", "filter") for name in KEYS if name.startswith(words.lower())]
    first: dict[str, str] = {}
    for query, label in rows:
        first.setdefault(query, label)
    return list(first.items())[:limit]


def _ends(text: str) -> Iterator[tuple[str, str, str]]:
    """What stands before the last words, the filter that they belong to, and those words; the most words first."""
    for n_words in range(WORDS_MAX, 0, -1):
        words = rf"(?:[^\s,\":]+ +){{{n_words - 1}}}[^\s,\":]+"
        key = r"(?:(character|tag):)?" if n_words == 1 else "()"
        match = re.search(rf"(?:^|(?<=[\s,]))-?{key}({words})$", text)
        if match is not None:
            yield text[: match.start(2)], match[1] or "", match[2]


def _quoted(name: str) -> str:
    return f'"{name}"' if re.search(r"[\s,:]", name) else name


def _characters(collection: Collection, words: str, limit: int) -> list[str]:
    named = Q(name__icontains=words) | Q(aliases__name__icontains=words)
    rows = Character.objects.filter(named, collection=collection)
    return list(rows.distinct().order_by("name").values_list("name", flat=True)[:limit])


def _tags(collection: Collection, words: str, limit: int) -> list[tuple[str, int]]:
    counts = TagCount.objects.filter(collection_id=collection.pk, state=TagState.YES, n__gt=0)
    lookup = {"name__contains": words} if len(words) >= INSIDE_MIN else {"name__startswith": words}
    names = dict(Tag.objects.filter(pk__in=counts.values("tag_id"), **lookup).values_list("pk", "name")[:MATCHES_MAX])
    frames = dict(counts.filter(tag_id__in=names).values_list("tag_id", "n"))
    ranked = sorted(((name, frames.get(key, 0)) for key, name in names.items()), key=lambda tag: (-tag[1], tag[0]))
    return ranked[:limit]
