"""Stored pictures, with the access rules of pages: members of a collection get the files that its rows refer to."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpRequest, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe

from ingest.access import member_view
from ingest.imaging.formats import MEDIA_TYPES
from ingest.models import Collection
from ingest.storage.stored_files import belongs_to, open_stored

# What browsers show in a page; pictures of other formats are only saved. Each had its pixels read under the limits
# before it was stored, its type is ours and not the sender's, and the headers keep a browser from guessing another.
SHOWN = frozenset({"png", "jpg", "webp", "avif", "gif"})
MAX_AGE_S = 365 * 24 * 3600  # the name is the hash of the content: it never changes


@member_view()
@require_safe
def file(request: HttpRequest, collection: Collection, name: str) -> HttpResponseBase:
    """One stored picture; 404 for a name that no row of this collection refers to."""
    ending = name.rpartition(".")[2]
    if ending not in MEDIA_TYPES or not belongs_to(collection, name):
        raise Http404("No such file.")
    etag = f'"{name[6:70]}"'
    response: HttpResponseBase
    if etag in request.headers.get("If-None-Match", ""):
        response = HttpResponseNotModified()
    else:
        stored = open_stored(name)  # the response closes it at its end
        if stored is None:
            raise Http404("No such file.")
        response = FileResponse(stored, content_type=MEDIA_TYPES[ending])
        how = "inline" if ending in SHOWN and "save" not in request.GET else "attachment"
        response.headers["Content-Disposition"] = f'{how}; filename="{name[6:18]}.{ending}"'
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
