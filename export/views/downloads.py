"""Downloads of finished datasets, resumable by HTTP ranges, for members only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from export.actions.jobs import inside_exports
from export.models import ExportJob
from ingest.access import member_view
from ingest.models import Collection

_CHUNK_BYTES = 256 * 1024
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")  # longer numbers are no place in a file


@member_view()
@require_safe
def download(request: HttpRequest, collection: Collection, job_id: int) -> HttpResponseBase:
    """The zip of an export, whole or a range of it."""
    job = get_object_or_404(ExportJob, collection=collection, pk=job_id)
    if not job.zip_file:
        raise Http404("This export has no ZIP.")
    path = inside_exports(job.zip_file)
    if not path.is_file():
        raise Http404("The ZIP is missing from the export folder.")
    return ranged(request, path, name=f"{path.stem}.zip")


def ranged(request: HttpRequest, path: Path, *, name: str) -> HttpResponseBase:
    """A file with ETag, Range and If-Range; one range at a time, anything else gets the whole file."""
    stat = path.stat()
    size, etag = stat.st_size, f'"{stat.st_ino:x}-{stat.st_size:x}-{stat.st_mtime_ns:x}"'
    response: HttpResponseBase
    if etag in request.headers.get("If-None-Match", ""):
        response = HttpResponse(status=304)
        response.headers["ETag"] = etag
        return response
    start, end = 0, size - 1
    range_match = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    # A part of another version of the file would spoil the copy: then the whole file is sent.
    if range_match and request.headers.get("If-Range", etag) == etag:
        first, last = range_match.groups()
        if first:
            start, end = int(first), min(int(last), size - 1) if last else size - 1
        elif last:
            start = max(0, size - int(last))
        if start > end or start >= size or not (first or last):
            response = HttpResponse(status=416)
            response.headers["Content-Range"] = f"bytes */{size}"
            return response
        status = 206
    else:
        status = 200
    if request.method == "HEAD":
        response = HttpResponse(status=status, content_type="application/zip")
    else:
        response = StreamingHttpResponse(
            _part(path.open("rb"), start, end - start + 1), status=status, content_type="application/zip"
        )
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{end}/{size}"
    response.headers["Content-Length"] = str(end - start + 1)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["ETag"] = etag
    response.headers["Cache-Control"] = "private, no-transform"
    response.headers["X-Content-Type-Options"] = "nosniff"
    ascii_name = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    response.headers["Content-Disposition"] = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name)}"
    return response


def _part(file: BinaryIO, start: int, length: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while length > 0 and (data := file.read(min(_CHUNK_BYTES, length))):
            length -= len(data)
            yield data
