"""Adding episodes: the page, uploads in chunks, and the folders of the video library."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ingest import humane, video_library
from ingest.access import member_view
from ingest.actions import sources, uploads
from ingest.actions.room import NoRoom
from ingest.actions.seen import fingerprint
from ingest.actions.sources import About, AlreadyThere
from ingest.errors import BadInput, KomaError
from ingest.imaging.formats import PICTURE_ENDINGS
from ingest.models import FINISHED, Collection, Episode, ImageType, RatingScheme, Role, StageRun, Upload
from ingest.params import as_int
from ingest.storage.quota import OverQuota
from ingest.storage.stored_files import available_bytes
from ingest.views.once import own_key
from ingest.views.responses import came_from, errors_in_words, is_partial, seen, success, toast

ACCEPTED = (  # what the file dialogue offers, beside the endings of pictures
    *("video/*", ".mkv", ".ts", ".m2ts", ".avi", "image/*", ".zip", ".cbz"),
    *(".txt", ".json", ".toml", ".tags", ".tag", ".caption", ".cap", ".processed_tags", ".characters", ".subjects"),
)
CHOSEN_MAX = 200  # files of a library folder in one request


@member_view(at_least=Role.LEAD)
@errors_in_words
def add(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The page. A plain POST takes complete files, for browsers without JavaScript."""
    if request.method == "POST":
        return _whole_files(request, collection)
    context = _context(request, collection)
    template = "ingest/add.html#added" if is_partial(request) else "ingest/add.html"
    return render(request, template, context)


@own_key
@member_view(at_least=Role.LEAD)
@require_POST
def upload_begin(request: HttpRequest, collection: Collection) -> JsonResponse:
    """Start or resume an upload; returns the address for its chunks and how many bytes have arrived."""
    try:
        size = int(request.POST.get("size", ""))
    except ValueError:
        size = -1
    try:
        upload = uploads.begin(
            collection=collection,
            by=request.user,
            key=request.POST.get("key", ""),
            name=request.POST.get("name", ""),
            size=size,
            about=_about(request),
        )
    except KomaError as error:
        return _problem(error)
    address = reverse("upload", args=[collection.pk, upload.pk])
    return JsonResponse({"url": address, "received": upload.received, "chunk": uploads.CHUNK_BYTES})


@member_view(at_least=Role.LEAD)
@require_http_methods(["GET", "POST", "PUT", "DELETE"])
def upload(request: HttpRequest, collection: Collection, upload_id: int) -> HttpResponse:
    """One of the user's uploads. GET: progress; PUT ?offset=: a chunk; POST: finish; DELETE: discard."""
    own_uploads = Upload.objects.filter(collection=collection, user_id=int(request.user.pk or 0)).select_related(
        "source__episode"
    )
    row = get_object_or_404(own_uploads, pk=upload_id)
    try:
        if request.method == "PUT":
            return _chunk(request, row)
        if request.method == "POST":
            episode = uploads.finish(upload=row, by=request.user)
            return JsonResponse({"episode": episode.pk, "label": episode.label, "name": episode.source.name})
        if request.method == "DELETE":
            uploads.discard(upload=row)
            return HttpResponse(status=204)
    except uploads.WrongOffset as error:
        return JsonResponse({"error": error.message, "received": error.received}, status=409)
    except KomaError as error:
        return _problem(error)
    return JsonResponse({"received": row.received, "size": row.size_bytes, "done": row.source_id is not None})


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def upload_discard(request: HttpRequest, collection: Collection, upload_id: int) -> HttpResponse:
    """Discard an unfinished upload (its button)."""
    row = get_object_or_404(Upload, collection=collection, user=request.user, pk=upload_id)
    uploads.discard(upload=row)
    return success(request, f"{row.name} discarded.", to=reverse("add_episodes", args=[collection.pk]))


@member_view(at_least=Role.LEAD)
@errors_in_words
def browse(request: HttpRequest, collection: Collection) -> HttpResponse:
    """The video library: browse (GET) and add what was chosen (POST). Files stay where they are."""
    values = request.POST if request.method == "POST" else request.GET
    root = as_int(values.get("root")) or 0
    if request.method == "POST":
        return _add_chosen(request, collection, root)
    roots = video_library.roots_for(collection, request.user)
    context: dict[str, Any] = {
        "section": "episodes",
        "roots": roots,
        "image_types": ImageType.choices,
        "rating_schemes": RatingScheme.choices,
    }
    if roots and "root" not in request.GET:
        root = roots[0][0]
    if roots:
        try:
            _check_granted(collection, request, root)
            context["folder"] = video_library.browse(root, request.GET.get("path", ""))
            context["here"] = _known_in(collection, context["folder"])
        except BadInput as error:
            context["problem"] = error.message
    return render(request, "ingest/library.html", context, status=404 if "problem" in context else 200)


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def change(request: HttpRequest, collection: Collection, episode_id: int) -> HttpResponse:
    """Save the form of an episode."""
    row = get_object_or_404(collection.episodes.select_related("source"), pk=episode_id)
    names = ("series", "season", "number", "title", "image_type", "licence_note", "rating_scheme")
    values: dict[str, Any] = {name: request.POST[name] for name in names if name in request.POST}
    if "exportable.shown" in request.POST:
        values["exportable"] = "exportable" in request.POST
    changed = sources.change(episode=row, by=request.user, values=values, seen=seen(request))
    response = success(request, f"{changed.label} saved.", to=came_from(request), undo=True)
    response.headers["X-Koma-Seen"] = fingerprint(sources.form_values(changed))  # the form stays on the page
    return response


@member_view(at_least=Role.LEAD)
@errors_in_words
def forget(request: HttpRequest, collection: Collection, episode_id: int) -> HttpResponse:
    """Ask for confirmation (GET), then delete the episode with everything derived from it (POST)."""
    row = get_object_or_404(collection.episodes.select_related("source"), pk=episode_id)
    if request.method != "POST":
        context = {"section": "episodes", "episode": row, "frames": row.frames.count()}
        return render(request, "ingest/forget.html", context)
    label = row.label
    sources.delete(episode=row, by=request.user)
    to = reverse("add_episodes", args=[collection.pk])
    if is_partial(request):
        return toast(HttpResponse(""), f"{label} deleted.")
    return success(request, f"{label} deleted.", to=to)


@member_view(at_least=Role.LEAD)
@require_safe
def skipped(request: HttpRequest, collection: Collection) -> HttpResponse:
    """All inputs that could not be used, each with its reason."""
    rows = collection.skipped_inputs.select_related("episode__source").order_by("-pk")
    return render(request, "ingest/skipped.html", {"section": "episodes", "rows": rows[:500], "total": rows.count()})


def _check_granted(collection: Collection, request: HttpRequest, root: int) -> None:
    """Raise BadInput for a library folder that this collection may not see."""
    if root not in dict(video_library.roots_for(collection, request.user)):
        raise BadInput("No such library folder here. Site admins choose which ones a collection sees.")


def _known_in(collection: Collection, folder: video_library.Folder) -> dict[str, str]:
    """Labels of the episodes that lie directly in the folder, by the entry's relative path."""
    rows = collection.episodes.filter(source__uploaded=False, source__path__startswith=f"{folder.path}/")
    prefix = f"{folder.relative}/" if folder.relative else ""
    return {f"{prefix}{Path(row.source.path).name}": row.label for row in rows.select_related("source")}


def _chunk(request: HttpRequest, row: Upload) -> JsonResponse:
    """Write a chunk, the request's body; one that is shorter than announced was cut off and is not used."""
    offset, length = as_int(request.GET.get("offset")), as_int(request.headers.get("Content-Length"))
    if offset is None or length is None:
        raise BadInput("The chunk came without its offset or length. Reload the page and try again.")
    if length > uploads.CHUNK_BYTES:
        raise uploads.TooLarge(f"A chunk may have at most {humane.filesize(uploads.CHUNK_BYTES)}.")
    data = request.read(length)
    if len(data) != length:
        raise uploads.WrongOffset(row.received)
    return JsonResponse({"received": uploads.take_chunk(upload=row, offset=offset, data=data)})


def _whole_files(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Add complete files in the same steps as chunked ones; each that fails gives a message, the others are added.

    Several pictures become one zip, as in the page's script.
    """
    files: list[Any] = request.FILES.getlist("files")
    if not files:
        raise BadInput("Choose at least one file.")
    added: list[Episode] = []
    whole_files, problems = uploads.grouped(files)
    for file in whole_files:
        try:
            row = uploads.begin(
                collection=collection, by=request.user, key=f"whole-{secrets.token_hex(16)}",
                name=file.name or "", size=file.size or 0, about=_about(request),
            )  # fmt: skip
            offset = 0
            for piece in file.chunks(uploads.CHUNK_BYTES):
                uploads.take_chunk(upload=row, offset=offset, data=piece)
                offset += len(piece)
            added.append(uploads.finish(upload=row, by=request.user))
        except KomaError as error:
            problems.append(error.message)
    return _report(request, collection, added, problems)


def _add_chosen(request: HttpRequest, collection: Collection, root: int) -> HttpResponse:
    chosen = request.POST.getlist("entry")
    if not chosen:
        raise BadInput("Choose at least one film, zip, picture or folder.")
    if len(chosen) > CHOSEN_MAX:
        raise BadInput(f"Choose at most {CHOSEN_MAX} at once.")
    _check_granted(collection, request, root)
    added, problems = [], []
    for relative in chosen:
        try:
            path = video_library.resolve(root, relative)
            added.append(sources.register(collection=collection, path=path, by=request.user, about=_about(request)))
        except KomaError as error:
            problems.append(error.message)
    return _report(request, collection, added, problems)


def _report(request: HttpRequest, collection: Collection, added: list[Episode], problems: list[str]) -> HttpResponse:
    to = reverse("add_episodes", args=[collection.pk])
    if request.headers.get("Accept") == "application/json":
        labels = [episode.label for episode in added]
        return JsonResponse({"added": labels, "errors": problems}, status=200 if added or not problems else 422)
    for problem in problems:
        messages.error(request, problem)
    if added:
        messages.success(request, f"{len(added)} added: {', '.join(episode.label for episode in added[:5])}.")
    response = HttpResponseRedirect(to)
    response.is_refused = not added  # type: ignore[attr-defined]
    return response


def _about(request: HttpRequest) -> About:
    return About(
        image_type=request.POST.get("image_type", ""),
        series=request.POST.get("series", ""),
        licence_note=request.POST.get("licence_note", "")[:5000],
        rating_scheme=request.POST.get("rating_scheme", ""),
        exportable="exportable" in request.POST or "exportable.shown" not in request.POST,
    )


def _problem(error: KomaError) -> JsonResponse:
    status = 422
    if isinstance(error, AlreadyThere):
        status = 409
    elif isinstance(error, uploads.TooLarge):
        status = 413
    elif isinstance(error, NoRoom | OverQuota):
        status = 507
    elif not error.permanent:
        status = 503
    return JsonResponse({"error": error.message}, status=status)


def _context(request: HttpRequest, collection: Collection) -> dict[str, Any]:
    busy = set(
        StageRun.objects.filter(run__collection=collection, episode__isnull=False)
        .exclude(run__state__in=FINISHED)
        .values_list("episode_id", flat=True)
    )
    fresh = collection.episodes.filter(extracted_at__isnull=True).select_related("source").order_by("-pk")
    episodes = [episode for episode in fresh[:200] if episode.pk not in busy]
    return {
        "section": "episodes",
        "episodes": episodes,
        "unfinished": Upload.objects.filter(
            collection=collection, user_id=int(request.user.pk or 0), source__isnull=True
        ),
        "has_library": bool(video_library.roots_for(collection, request.user)),
        "image_types": ImageType.choices,
        "rating_schemes": RatingScheme.choices,
        "picture_endings": sorted(PICTURE_ENDINGS),
        "accepted": ",".join((*ACCEPTED, *(f".{ending}" for ending in sorted(PICTURE_ENDINGS)))),
        "max_bytes": settings.KOMA_UPLOAD_MAX_BYTES,
        "free_bytes": available_bytes(),
        "skipped_count": collection.skipped_inputs.count(),
    }
