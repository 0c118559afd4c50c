"""The quality page: measure models on folders of the library, see the figures side by side and the worst mistakes.

What is measured on a collection is for its members: `own_quality`.
"""

from __future__ import annotations

import io
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from PIL import Image

from annotate import jobs
from annotate.chosen_models import tasks
from annotate.evaluation import evaluation_jobs
from annotate.evaluation.kinds import KINDS, open_picture
from annotate.models import Evaluation
from annotate.views import plots
from ingest import video_library
from ingest.errors import BadInput
from ingest.imaging.names import plain_text
from ingest.models import RunState
from ingest.params import as_int
from ingest.views.responses import errors_in_words, is_partial, success

SHOWN = 40
SIDE = 320  # pixels of a shown mistake's longer side


def _admins(request: HttpRequest) -> None:
    if not getattr(request.user, "is_superuser", False):
        raise PermissionDenied("Only site admins can measure models.")


@login_required
def quality(request: HttpRequest) -> HttpResponse:
    """GET: what was measured, newest first, and a form. POST: measure."""
    _admins(request)
    if request.method == "POST":
        return _ask(request)
    rows = list(Evaluation.objects.filter(collection=None).select_related("by")[:SHOWN])
    context: dict[str, Any] = {
        "rows": rows,
        "waiting": any(row.state in evaluation_jobs.WAITING for row in rows),
        "kinds": [(kind, _models(kind.task, kind.own_models)) for kind in KINDS.values()],
        "roots": list(enumerate(video_library.roots())),
        "plots": plots.side_by_side([row for row in rows if row.state == RunState.DONE]),
    }
    if is_partial(request):
        return render(request, "annotate/quality.html#measured", context)
    return render(request, "annotate/quality.html", context)


@login_required
def evaluation(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """One measurement: all figures, its plot, the worst mistakes."""
    _admins(request)
    row = get_object_or_404(Evaluation.objects.select_related("by"), collection=None, pk=evaluation_id)
    figures = [(name, value) for name, value in row.scores.items() if isinstance(value, (int, float, str))]
    mistakes = [(place, mistake | {"boxes": mistake_boxes(mistake)}) for place, mistake in enumerate(row.mistakes)]
    context = {
        "row": row,
        "figures": figures,
        "plot": plots.of_one(row),
        "mistakes": mistakes,
        "about": KINDS.get(row.kind),
    }
    return render(request, "annotate/evaluation.html", context)


@login_required
def mistake_picture(request: HttpRequest, evaluation_id: int, place: int, number: int) -> HttpResponse:
    """A small copy of a picture that a measurement got wrong, read from the library now."""
    _admins(request)
    row = get_object_or_404(Evaluation, collection=None, pk=evaluation_id)
    try:
        name = row.mistakes[place]["pictures"][number]
        root, _, folder = row.folder.partition(":")
        rgb = open_picture(video_library.resolve(int(root), f"{folder}/{name}"))
    except (IndexError, KeyError, BadInput) as problem:
        raise Http404("The picture is gone.") from problem
    small = Image.fromarray(rgb)
    small.thumbnail((SIDE, SIDE))
    packed = io.BytesIO()
    small.save(packed, "JPEG", quality=88)
    return HttpResponse(packed.getvalue(), "image/jpeg", headers={"Cache-Control": "private, max-age=600"})


@login_required
@require_POST
@errors_in_words
def evaluation_change(request: HttpRequest, evaluation_id: int) -> HttpResponse:
    """Cancel a measurement, measure the same again, or delete it."""
    _admins(request)
    row = get_object_or_404(Evaluation, collection=None, pk=evaluation_id)
    return success(request, change(row, request), to=reverse("quality"))


@errors_in_words
def _ask(request: HttpRequest) -> HttpResponse:
    root, path = as_int(request.POST.get("root")) or 0, request.POST.get("path", "").strip().strip("/")
    row = evaluation_jobs.ask(
        kind=request.POST.get("kind", ""), root=root, path=path, model=request.POST.get("model", ""), by=request.user
    )
    sent = jobs.wake()
    where = plain_text(path) or "the library folder"
    text = f"Measuring {row.kind} on {where}" + ("" if sent else ". Redis cannot be reached; it is waiting")
    response = success(request, text, to=reverse("quality"))
    return response if isinstance(response, HttpResponseRedirect) else _moved(response)


def _moved(response: HttpResponse) -> HttpResponse:
    response.headers["HX-Location"] = reverse("quality")
    return response


def change(row: Evaluation, request: HttpRequest) -> str:
    """Does what the form asks with a measurement of a folder or a collection; returns what was done, in words.

    Raises BadInput for an unknown action, and for deleting one that waits or runs.
    """
    action = request.POST.get("act")
    if action == "cancel":
        evaluation_jobs.cancel(row)
        return "Measurement cancelled"
    if action == "again":
        evaluation_jobs.ask_again(row, by=request.user)
        jobs.wake()
        return "Measuring again"
    if action == "delete" and row.state not in evaluation_jobs.WAITING:
        row.delete()
        return "Measurement removed"
    raise BadInput("Choose what to do with the measurement.")


def mistake_boxes(mistake: dict[str, Any]) -> dict[str, list[dict[str, str]]]:
    """Sides as SVG wants them, whatever the locale."""
    return {
        name: [
            {"x": f"{x0:.4f}", "y": f"{y0:.4f}", "width": f"{x1 - x0:.4f}", "height": f"{y1 - y0:.4f}"}
            for x0, y0, x1, y1 in mistake.get(name, [])
        ]
        for name in ("missed", "false")
    }


def _models(task: str, always_there: tuple[str, ...]) -> list[str]:
    return [*always_there, *tasks.installed_names(task)]
