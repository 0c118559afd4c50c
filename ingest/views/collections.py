"""The list of the user's collections; create, rename, archive, delete."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from ingest.access import member_view
from ingest.actions import collections as actions
from ingest.errors import BadInput, KomaError
from ingest.models import FINISHED, Collection, Episode, Frame, Membership, PipelineRun, Role
from ingest.pipeline import progress
from ingest.storage import quota
from ingest.views.responses import came_from, errors_in_words, is_partial, seen, success


@login_required
@errors_in_words
def collections(request: HttpRequest) -> HttpResponse:
    """The user's collections (GET), or a new one (POST), whose creator becomes its admin."""
    allowed = quota.may_create(request.user)
    if request.method == "POST":
        if not allowed:
            raise PermissionDenied("You can't create collections here. A site admin can allow it.")
        collection = actions.create(name=request.POST.get("name", ""), by=request.user)
        return success(request, f"{collection.name} created.", to=reverse("add_episodes", args=[collection.pk]))
    memberships = Membership.objects.filter(collection=OuterRef("pk"), user_id=int(request.user.pk or 0))
    # The best frame of one episode comes out of an index; the best of all would be searched for among all.
    begun = Episode.objects.filter(collection=OuterRef("pk"), extracted_at__isnull=False)
    kept_frames = Frame.objects.kept().filter(episode=OuterRef("shown"))
    still = kept_frames.exclude(preview="").order_by("-face_count", "-quality", "pk").values("preview")[:1]
    rows = Collection.objects.visible_to(request.user).annotate(
        role=Subquery(memberships.values("role")[:1]),
        episode_count=Count("episodes", distinct=True),
        shown=Subquery(begun.values("pk")[:1]),
    )
    rows = rows.annotate(still=Subquery(still)).order_by("name", "pk")  # the model's order is left out where rows group
    visible = list(rows)
    open_runs = list(PipelineRun.objects.filter(collection__in=visible).exclude(state__in=FINISHED).order_by("-pk"))
    stage_now, run_of = progress.current_of(open_runs), {run.collection_id: run.pk for run in open_runs}
    context: dict[str, Any] = {"collections": [], "archived": [], "may_create": allowed, "is_working": bool(run_of)}
    for row in visible:
        role = Role(getattr(row, "role")).label  # noqa: B009 - an annotation, no field
        run = run_of.get(row.pk)
        entry = {"row": row, "role": role, "run": run, "lane": stage_now[run] if run else None}
        context["archived" if row.archived_at else "collections"].append(entry)
    # The first collection may be on its way, and running ones change: an invitation, the demo's episode being drawn.
    context["is_filling"] = not visible or context["is_working"]
    template = "ingest/collections.html#listing" if is_partial(request) else "ingest/collections.html"
    return render(request, template, context)


@member_view(at_least=Role.ADMIN)
@errors_in_words
def settings_page(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Rename, archive, delete: the page (GET) and the new name (POST)."""
    if request.method == "POST":
        actions.rename(collection=collection, name=request.POST.get("name", ""), by=request.user, seen=seen(request))
        return success(request, "Renamed.", to=reverse("collection_settings", args=[collection.pk]))
    context = {"section": "members", "usage": quota.of_collection(collection), "mine": quota.of_person(request.user)}
    return render(request, "ingest/collection_settings.html", context)


@member_view(at_least=Role.ADMIN, when_archived=True)
@require_POST
@errors_in_words
def archive(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Archive, or restore (`back` in the form)."""
    archived = "back" not in request.POST
    actions.archive(collection=collection, archived=archived, by=request.user)
    if archived:
        return success(request, f"{collection.name} archived: see the end of the list.", to=reverse("collections"))
    return success(request, f"{collection.name} restored from the archive.", to=came_from(request))


@member_view(at_least=Role.ADMIN, when_archived=True)
def delete(request: HttpRequest, collection: Collection) -> HttpResponse:
    """Confirm twice: on this page, and by typing the name."""
    context = {
        "section": "members",
        "frames": collection.frames.count(),
        "episodes": collection.episodes.count(),
        "operations": collection.operations.count(),
    }
    if request.method == "POST":
        name = collection.name
        try:
            if "sure" not in request.POST:
                raise BadInput("Tick the box to confirm. Nothing was deleted.")
            files = actions.delete(collection=collection, typed_name=request.POST.get("name", ""), by=request.user)
        except KomaError as error:
            context["problem"] = error.message
            return render(
                request, "ingest/collection_delete.html", context, status=409 if "run" in error.message else 422
            )
        return success(request, f"{name} deleted, with {files:,} files.", to=reverse("collections"))
    return render(request, "ingest/collection_delete.html", context)
