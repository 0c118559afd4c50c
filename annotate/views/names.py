"""Names for fields that complete while one types: characters of the collection, tags of the vocabulary."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse

from annotate.figures import face_figures
from annotate.models import Character, Tag
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
def tags(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Tags for the text (prefix, inside, alias), the most used first."""
    found = Tag.objects.completing(request.GET.get("q", "")[:TEXT_MAX])[:SHOWN]
    return JsonResponse({"names": [{"name": tag.name, "label": f"{tag.post_count:,}"} for tag in found]})
