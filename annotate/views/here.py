"""Who else is on a page, and which rows they work on; asked again and again by static/js/here.js."""

from __future__ import annotations

import re
from typing import Any

from django.http import HttpResponse, JsonResponse
from django.views.decorators.http import require_POST

from annotate.actions import claims
from annotate.models import FaceCluster, ItemKind
from ingest.access import MemberRequest, member_view
from ingest.errors import BadInput
from ingest.models import Collection
from ingest.params import as_int
from ingest.views.once import own_key
from ingest.views.responses import errors_in_words

PLACE = re.compile(r"faces|(?:frame|character):[0-9]{1,18}")


@own_key
@member_view(when_archived=True)
@require_POST
@errors_in_words
def here(request: MemberRequest, collection: Collection) -> HttpResponse:
    """I am at `place` (or `leave` it) and work on the cluster `claim`: names of the others there, and their rows."""
    place = request.POST.get("place", "")
    if not PLACE.fullmatch(place):
        raise BadInput("Page not found.")
    if "leave" in request.POST:
        claims.leave(collection=collection, place=place, by=request.user)
        return HttpResponse(status=204)
    people = claims.be_here(collection=collection, place=place, by=request.user)
    held: dict[int, str] = {}
    if place == "faces":
        common: dict[str, Any] = {"collection": collection, "kind": ItemKind.CLUSTER, "by": request.user}
        item = as_int(request.POST.get("claim"))
        may_work = request.can_edit and collection.archived_at is None
        if may_work and item is not None and FaceCluster.objects.filter(collection=collection, pk=item).exists():
            claims.claim(item=item, **common)
        held = claims.held_by_others(**common)
    return JsonResponse({"people": people, "held": {str(key): name for key, name in held.items()}})
