"""Pages for site admins: accounts, limits of people and collections, and all unfinished uploads."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from ingest import video_library
from ingest.access import site_admin_view
from ingest.actions import limits, uploads
from ingest.actions import people as people_actions
from ingest.errors import BadInput, KomaError
from ingest.models import RESERVED_FOR, Collection, CollectionLimits, Membership, PersonLimits, Role, Upload
from ingest.storage import quota
from ingest.views.responses import errors_in_words, seen, success, worded

ROWS = 50  # of a page: usage is summed for each


@site_admin_view
@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """All accounts: their limits and what they have stored."""
    return render(request, "ingest/site_people.html", _people_context(request))


@site_admin_view
@require_POST
def person_add(request: HttpRequest) -> HttpResponse:
    """Create an account and show its password once."""
    try:
        person, password = people_actions.add(name=request.POST.get("name", ""), by=request.user)
    except KomaError as error:
        context = _people_context(request) | {"problem": error.message, "typed": request.POST.get("name", "")}
        return render(request, "ingest/site_people.html", context, status=422)
    return _with_password(request, person, password)


@site_admin_view
@require_POST
@errors_in_words
def person_account(request: HttpRequest, person_id: int) -> HttpResponse:
    """Set a new password, disable or enable the account, or give and take the rights of a site admin, by `act`."""
    person = get_object_or_404(get_user_model(), pk=person_id)
    action, name = request.POST.get("act", ""), person.get_username()
    if action == "password":
        return _with_password(request, person, people_actions.set_new_password(person=person, by=request.user))
    if action in ("disable", "enable"):
        people_actions.set_enabled(person=person, enabled=action == "enable", by=request.user)
        words = f"{name} can log in again." if action == "enable" else f"{name} is logged out and cannot log in."
    elif action in ("admin", "no_admin"):
        people_actions.set_site_admin(person=person, site_admin=action == "admin", by=request.user)
        words = f"{name} is a site admin now." if action == "admin" else f"{name} is no site admin any more."
    else:
        raise BadInput("Choose what to do with the account.")
    return success(request, words, to=reverse("site_people"))


def _with_password(request: HttpRequest, person: Any, password: str) -> HttpResponse:
    """The page with the new password. It is stored nowhere, so this is the only time."""
    context = _people_context(request) | {"password": password, "password_of": person.get_username()}
    response = render(request, "ingest/site_people.html", context)
    response.headers["Cache-Control"] = "no-store"
    # For whoever sends the form twice and sees the second answer, which cannot hold it.
    return worded(response, f"the password of {person.get_username()} was shown once. Set a new one if you missed it.")


def _people_context(request: HttpRequest) -> dict[str, Any]:
    query = request.GET.get("q", "").strip()[:150]
    page = Paginator(quota.people().filter(username__icontains=query), ROWS).get_page(request.GET.get("page"))
    rows = [
        {
            "person": person,
            "own": getattr(person, "limits", None),
            "shown": limits.form_values(getattr(person, "limits", None), PersonLimits),
            "usage": quota.of_person(person),
            "bytes_text": limits.size_text(person.limits.bytes_max) if hasattr(person, "limits") else "",
        }
        for person in page
    ]
    return {"tab": "people", "rows": rows, "page": page, "query": query, "default": _default("PERSON")}


@site_admin_view
@require_POST
@errors_in_words
def person_change(request: HttpRequest, person_id: int) -> HttpResponse:
    """Save the limits of one person."""
    person = get_object_or_404(get_user_model(), pk=person_id)
    limits.set_person(
        person=person,
        may_create=request.POST.get("may_create", ""),
        bytes_max=request.POST.get("bytes_max", ""),
        pictures_max=request.POST.get("pictures_max", ""),
        by=request.user,
        seen=seen(request),
    )
    return success(request, f"Saved for {person.get_username()}.", to=reverse("site_people"))


@site_admin_view
@require_safe
def collections(request: HttpRequest) -> HttpResponse:
    """All collections: their admins, what they have stored, which library folders they see."""
    query = request.GET.get("q", "").strip()[:200]
    matches = Collection.objects.filter(name__icontains=query).select_related("limits").order_by("name", "pk")
    page = Paginator(matches, ROWS).get_page(request.GET.get("page"))
    admins: dict[int, list[str]] = {}
    members = Membership.objects.filter(collection__in=list(page), role=Role.ADMIN).order_by("user__username")
    for pk, name in members.values_list("collection_id", "user__username"):
        admins.setdefault(pk, []).append(name)
    rows = [
        {
            "row": row,
            "own": getattr(row, "limits", None),
            "usage": quota.of_collection(row),
            "admins": ", ".join(admins.get(row.pk, [])[:3]),
        }
        for row in page
    ]
    context = {"tab": "collections", "rows": rows, "page": page, "query": query}
    return render(request, "ingest/site_collections.html", context)


@site_admin_view
@errors_in_words
def collection_limits(request: HttpRequest, limits_of: int) -> HttpResponse:
    """The limits and library folders of one collection: show (GET) and save (POST)."""
    row = get_object_or_404(Collection.objects.select_related("limits"), pk=limits_of)
    if request.method == "POST":
        limits.set_collection(
            collection=row,
            all_folders=request.POST.get("folders") == "all",
            folders=request.POST.getlist("folder"),
            bytes_max=request.POST.get("bytes_max", ""),
            pictures_max=request.POST.get("pictures_max", ""),
            by=request.user,
            seen=seen(request),
        )
        return success(request, f"Saved for {row.name}.", to=reverse("site_collections"))
    row_limits = getattr(row, "limits", None)
    context = {
        "tab": "collections",
        "row": row,
        "own": row_limits,
        "shown": limits.form_values(row_limits, CollectionLimits),
        "usage": quota.of_collection(row),
        "bytes_text": limits.size_text(row_limits.bytes_max) if row_limits else "",
        "folders": [
            (path, row_limits is not None and str(path) in row_limits.folders) for path in video_library.roots()
        ],
        "default": _default("COLLECTION"),
    }
    return render(request, "ingest/site_collection.html", context)


@site_admin_view
@require_safe
def all_uploads(request: HttpRequest) -> HttpResponse:
    """All unfinished uploads, the largest reservation first: who sends them and whether space is reserved."""
    rows = list(Upload.objects.unfinished().select_related("user", "collection"))
    rows.sort(key=lambda row: (not row.is_reserved(), -row.coming))
    context = {
        "tab": "uploads",
        "rows": rows,
        "reserved": sum(row.coming for row in rows if row.is_reserved()),
        "received": sum(row.received for row in rows),
        "minutes": RESERVED_FOR.seconds // 60,
    }
    return render(request, "ingest/site_uploads.html", context)


@site_admin_view
@require_POST
@errors_in_words
def upload_discard(request: HttpRequest, upload_id: int) -> HttpResponse:
    """Discard an unfinished upload of any person."""
    row = get_object_or_404(Upload, Q(source__isnull=True), pk=upload_id)
    uploads.discard(upload=row)
    return success(request, f"{row.name} discarded.", to=reverse("site_uploads"))


def _default(of: str) -> dict[str, Any]:
    return {
        "bytes": getattr(settings, f"KOMA_QUOTA_{of}_BYTES"),
        "pictures": getattr(settings, f"KOMA_QUOTA_{of}_PICTURES"),
    }
