"""The models page for admins of the site (what is known, installed, fast) and a collection's choice of models."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from annotate import jobs
from annotate.actions import tag_lists
from annotate.chosen_models import choices
from annotate.chosen_models.tasks import FIRST, NONE, TASKS
from annotate.model_library import listing, model_actions
from annotate.model_library.listing import FAMILIES, Row, rows
from annotate.models import ModelChoice, ModelJob
from ingest import humane, video_library
from ingest.access import member_view
from ingest.errors import BadInput, KomaError
from ingest.models import Collection, Role, RunState
from ingest.params import as_int
from ingest.views.responses import came_from, errors_in_words, is_partial, seen, success

UPLOAD_CHUNK = 1 << 20
QUERY_MAX = 100
INSTALLED = "installed"  # the tab of the installed models of all tasks


def _admins(request: HttpRequest) -> None:
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied("Only site admins can install models.")


@login_required
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """The models of one task (`task`; `installed`: those of all tasks), or those whose name holds the text `q`."""
    _admins(request)
    query = request.GET.get("q", "").strip()[:QUERY_MAX].lower()
    tab = request.GET.get("task", "")
    if query or tab not in (*TASKS, INSTALLED):
        tab = "" if query else next(iter(TASKS))
    everything = rows()
    busy = {job.name: job for job in ModelJob.objects.filter(state__in=model_actions.OPEN)}
    by_task = {task: [row for row in everything if row.task == name] for name, task in TASKS.items()}
    tasks = []
    for task, task_rows in by_task.items():
        shown = [row for row in task_rows if _is_shown(row, query=query, tab=tab)]
        if not shown:
            continue
        first = [
            row
            for row in shown
            if query or row.installed or row.part_bytes or row.recommended or row.kind == "wheel" or row.name in busy
        ]
        first = first or shown[:1]
        others = [row for row in shown if row not in first]
        tasks.append({
            "task": task,
            "first": [_row_context(row, busy) for row in first],
            "others": [_row_context(row, busy) for row in others],
        })  # fmt: skip
    context = {
        "tabs": [
            {"task": task, "installed": sum(row.installed for row in task_rows), "known": len(task_rows)}
            for task, task_rows in by_task.items()
        ],
        "tasks": tasks,
        "tab": tab,
        "query": query,
        "folder": settings.KOMA_MODELS_DIR,
        "hub": settings.KOMA_HUB_URL,
        "devices": listing.devices(),
        "endpoints": listing.caption_servers(),
        **_jobs(),
    }
    return render(request, "annotate/models.html", context)


def _is_shown(row: Row, *, query: str, tab: str) -> bool:
    if query:
        return all(word in f"{row.name} {row.title}".lower() for word in query.split())
    return row.installed if tab == INSTALLED else row.task == tab


@login_required
@require_safe
def models_work(request: HttpRequest) -> HttpResponse:
    """The jobs, asked again and again while one is open; when the last one ends the page is loaded anew."""
    _admins(request)
    context = _jobs()
    response = render(request, "annotate/models/jobs.html", context)
    if not context["open"]:
        response.headers["HX-Refresh"] = "true"
    return response


@login_required
@require_POST
@errors_in_words
def models_act(request: HttpRequest) -> HttpResponse:
    """Download, check, measure or remove one model (`action`, `name`, `task`)."""
    _admins(request)
    action, name = request.POST.get("act", ""), request.POST.get("name", "")
    back = _page(request) + (f"#{name}" if listing.is_model_name(name) else "")
    if action == "remove":
        if "sure" not in request.POST:
            raise BadInput("Tick the box to confirm. Nothing was removed.")
        freed, chosen = model_actions.remove(name=name)
        note = f" It is still chosen in {', '.join(chosen)}." if chosen else ""
        return success(request, f"{name} removed, {humane.filesize(freed)} freed.{note}", to=back)
    if action == "download":
        job = model_actions.download(name=name, by=request.user)
    elif action == "verify":
        job = model_actions.verify(name=name, by=request.user)
    elif action == "measure":
        job = model_actions.measure(name=name, task=request.POST.get("task", ""), by=request.user)
    else:
        raise BadInput("This page cannot do that.")
    return _sent(request, job, to=back)


@login_required
@require_POST
@errors_in_words
def models_job(request: HttpRequest, job_id: int) -> HttpResponse:
    """Stop a job, try it again, or take it off the page (`action`)."""
    _admins(request)
    job = get_object_or_404(ModelJob, pk=job_id)
    action = request.POST.get("act", "")
    if action == "cancel":
        model_actions.cancel(job)
        return success(request, f"{job.name} stops.", to=_page(request))
    if action == "retry":
        return _sent(request, model_actions.retry(job=job, by=request.user), to=_page(request))
    if action == "forget":
        ModelJob.objects.filter(pk=job.pk).exclude(state__in=model_actions.OPEN).delete()
        return success(request, "Removed from the list.", to=_page(request))
    raise BadInput("A job can be stopped, retried or removed from the list.")


@login_required
@errors_in_words
def models_import(request: HttpRequest) -> HttpResponse:
    """Import a model from the library's folders or an uploaded zip: a browser of folders (GET), the import (POST)."""
    _admins(request)
    if request.method == "POST":
        name, family = request.POST.get("name", "").strip(), request.POST.get("family", "")
        upload = request.FILES.get("zip")
        if isinstance(upload, UploadedFile):
            job = _take_upload(request, upload, name=name, family=family)
        elif request.POST.get("path"):
            root = as_int(request.POST.get("root", "")) or 0
            path = request.POST.get("path", "")
            job = model_actions.import_from_library(root=root, relative=path, name=name, family=family, by=request.user)
        else:
            raise BadInput("Choose a folder or a zip of the library, or a zip to upload.")
        return _sent(request, job, to=reverse("models"))
    context: dict[str, Any] = {
        "roots": video_library.roots(),
        "families": listing.IMPORTABLE,
        "names": listing.catalogue_names(),
        "largest": settings.KOMA_UPLOAD_MAX_BYTES,
    }
    if context["roots"]:
        try:
            context["here"] = video_library.browse(
                as_int(request.GET.get("root", "")) or 0, request.GET.get("path", "")
            )
        except KomaError as error:
            context["problem"] = error.message
    return render(request, "annotate/models_import.html", context)


@member_view(at_least=Role.LEAD)
@errors_in_words
def collection_models(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Which model a collection uses for each task: the page (GET), one task's choice (POST)."""
    here = reverse("collection_models", args=[collection.pk])
    if request.method == "POST":
        task_name = request.POST.get("task", "")
        names = [name for name in request.POST.getlist("name") if name]
        used = choices.choose(collection=collection, task=task_name, names=names, by=request.user, seen=seen(request))
        label = TASKS[task_name].label
        return success(request, f"{label}: {', '.join(used) or 'no model'} from now on.", to=here, undo=True)
    chosen: dict[str, list[str]] = {}
    for row in ModelChoice.objects.filter(collection=collection).order_by("name"):
        chosen.setdefault(row.task, []).append(row.name)
    tasks = []
    for task in TASKS.values():
        offered = choices.offered(task.name)
        chosen_names = chosen.get(task.name, [])
        tasks.append({
            "task": task, "offered": offered, "chosen": chosen_names, "shown": {"models": sorted(chosen_names)},
            "gone": [name for name in chosen_names if name not in offered and name != NONE],
            "told": task.default == FIRST,
            "default": ", ".join(task.default_names()) or "none",
        })  # fmt: skip
    context = {
        "tasks": tasks,
        "section": "runs",
        "lists": tag_lists.lists_by_kind(collection),
        "largest_list": tag_lists.FILE_MAX,
    }
    return render(request, "annotate/collection_models.html", context)


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def tag_list(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Add a list by which tags are dropped (`kind`, a file) or choose one that is here (`kind`, `use`)."""
    to = reverse("collection_models", args=[collection.pk]) + "#lists"
    kind = tag_lists.kind_of(request.POST.get("kind", ""))
    upload = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        if int(upload.size or 0) > tag_lists.FILE_MAX:
            raise BadInput(f"{upload.name}: a list of tags may have at most {humane.filesize(tag_lists.FILE_MAX)}.")
        name = str(upload.name or "list")
        row, notes = tag_lists.add(
            collection=collection, kind=kind, name=name, data=upload.read(), by=request.user, seen=seen(request)
        )
        count = humane.count(row.tags, "tag")
        words = f"{kind.label}: {row.name} ({count}) is used from the next run of the stage Tag."
        return success(request, " ".join([words, *notes]), to=to, undo=True)
    if "use" not in request.POST:
        raise BadInput("Choose a file.")
    key = as_int(request.POST["use"])
    if key is None and request.POST["use"]:  # only an empty choice takes the list back
        raise BadInput("This list does not exist. Choose one on the page.")
    used = tag_lists.use(collection=collection, kind=kind, key=key, by=request.user, seen=seen(request))
    current = used.name if used else "no list of this collection"
    return success(request, f"{kind.label}: {current} is used from the next run of the stage Tag.", to=to, undo=True)


def _take_upload(request: HttpRequest, upload: UploadedFile[Any], *, name: str, family: str) -> ModelJob:
    """Write the uploaded zip beside the models and ask for its import."""
    file_name = str(upload.name or "upload.zip")
    size = int(upload.size or 0)
    if size > settings.KOMA_UPLOAD_MAX_BYTES:
        raise BadInput(
            f"{file_name} is larger than {humane.filesize(settings.KOMA_UPLOAD_MAX_BYTES)} (KOMA_UPLOAD_MAX_BYTES)."
        )
    model_actions.check_space(2 * size)
    model_actions.tidy_uploads()
    where = model_actions.upload_folder()
    where.mkdir(parents=True, exist_ok=True)
    path = where / f"upload-{secrets.token_hex(16)}.zip"
    try:
        with path.open("wb") as file:
            for chunk in upload.chunks(UPLOAD_CHUNK):
                file.write(chunk)
        return model_actions.import_upload(upload=path, file_name=file_name, name=name, family=family, by=request.user)
    except (OSError, KomaError) as error:
        path.unlink(missing_ok=True)
        if isinstance(error, KomaError):
            raise
        raise KomaError(f"{file_name} could not be written ({error.strerror}).", permanent=False) from error


def _page(request: HttpRequest) -> str:
    """The tab of the models page that sent the form."""
    sender = came_from(request)
    return sender if sender.startswith(reverse("models")) else reverse("models")


def _sent(request: HttpRequest, job: ModelJob, *, to: str) -> HttpResponse:
    sent = jobs.wake()
    words = f"{job.get_act_display()}: {job.name}." if sent else f"{job.name} is waiting: Redis cannot be reached."
    return success(request, words, to=to if not is_partial(request) else came_from(request))


def _row_context(row: Row, busy: dict[str, ModelJob]) -> dict[str, Any]:
    return {
        "row": row,
        "job": busy.get(row.name),
        "anchor": f"{row.task}-{row.name}" if row.kind == "builtin" else row.name,
        "files": row.files,
        "device": _device(row),
        "downloadable": row.kind == "catalogue" and not row.usable and row.family in FAMILIES,
        "measurable": row.measurable,
        "removable": (row.installed or row.part_bytes > 0) and row.kind in ("catalogue", "own"),
        "frees": row.part_bytes + (row.size_bytes if row.installed else 0),
        "chosen": model_actions.chosen_in(row.name) if row.installed and row.kind in ("catalogue", "own") else [],
    }


def _device(row: Row) -> str:
    """Where an installed model runs on this machine with device=auto."""
    if row.family == "ncnn":
        return "GPU (Vulkan), else CPU"
    always_cpu = (row.kind == "builtin" and row.task != "faces") or any(f.name.endswith(".xml") for f in row.files)
    return "GPU" if listing.devices().cuda and not always_cpu else "CPU"


def _jobs() -> dict[str, Any]:
    open_jobs = list(ModelJob.objects.filter(state__in=model_actions.OPEN).order_by("pk"))
    over = ModelJob.objects.exclude(state__in=model_actions.OPEN)[: model_actions.SHOWN]
    return {"open": open_jobs, "over": list(over), "failed": RunState.FAILED, "cancelled": RunState.CANCELLED}
