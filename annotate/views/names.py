"""Names for fields that complete while one types: characters of the collection, tags of the vocabulary."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse

from annotate.models import Character, TagAlias, TagCategory, TagCount, TagState
from annotate.queries.completion import complete
from annotate.queries.figures import face_figures
from annotate.queries.query_completion import complete_query
from ingest.access import member_view
from ingest.models import Collection
from ingest.stamp import stamp

SHOWN = 12
TEXT_MAX = 100


@member_view()
def characters(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Cast whose name or alias holds the text, the most frequent first."""
    text = request.GET.get("q", "")[:TEXT_MAX].strip()
    rows = Character.objects.filter(collection=collection)
    if text:
        named = Character.objects.filter(
            Q(name__icontains=text) | Q(aliases__name__icontains=text), collection=collection
        )
        rows = rows.filter(pk__in=named.values("pk"))
    faces = face_figures(collection, stamp(collection)).by_character
    people = sorted((-faces.get(pk, 0), name) for pk, name in rows.values_list("pk", "name"))[:SHOWN]
    return JsonResponse({"names": [{"name": name, "label": f"{-n:,} faces"} for n, name in people]})


@member_view()
def queries(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Queries of the frames page that begin with the text."""
    text = request.GET.get("q", "")
    rows = complete_query(collection, text, limit=SHOWN) if len(text) <= TEXT_MAX else []
    return JsonResponse({"names": [{"name": query, "label": label} for query, label in rows]})


@member_view()
def tags(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Tags for the text (prefix, inside, alias) that this collection sees, the most used first.

    Each with its category, how often it is used here, and the alias that was typed, if it was found by one.
    """
    text = request.GET.get("q", "")[:TEXT_MAX]
    matches = complete(collection, text, limit=SHOWN)
    keys = [tag.pk for tag in matches]
    here = dict(
        TagCount.objects.filter(collection_id=collection.pk, tag_id__in=keys, state=TagState.YES).values_list(
            "tag_id", "n"
        )
    )
    typed = "_".join(text.lower().split())
    aliases = dict(TagAlias.objects.filter(tag__in=keys, name__startswith=typed).values_list("tag_id", "name"))
    names = []
    for tag in matches:
        alias = aliases.get(tag.pk, "") if typed not in tag.name else ""
        category = TagCategory(tag.category).label
        words = [f"also {alias}" if alias else "", category if category != "general" else ""]
        words += [f"{here[tag.pk]:,} here" if here.get(tag.pk) else "", f"{tag.post_count:,}" if tag.post_count else ""]
        label = " · ".join(word for word in words if word)
        names.append(
            {"name": tag.name, "label": label, "category": category, "alias": alias, "here": here.get(tag.pk, 0)}
        )
    return JsonResponse({"names": names})
