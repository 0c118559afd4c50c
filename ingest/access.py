"""Access rules: the first decorator of every view."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from ingest.models import Collection, Membership, Role


class MemberRequest(HttpRequest):
    """The request that a view under `member_view` gets: from a member of the collection."""

    collection: Collection
    role: Role
    # What the role allows, as `ingest.context.rights` tells the templates: changing labels, and leading.
    can_edit: bool
    can_lead: bool


def collection_for(user: Any, pk: int) -> tuple[Collection, Role]:
    """The collection and the user's role in it. One query.

    Raises Http404 for others, who may not know that it exists.
    """
    membership = Membership.objects.select_related("collection").filter(collection_id=pk, user_id=user.pk).first()
    if membership is None:
        raise Http404("No such collection.")
    return membership.collection, Role(membership.role)


def site_admin_view(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorator: login page for anonymous users, 403 for all but site admins."""

    @login_required
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not getattr(request.user, "is_superuser", False):
            raise PermissionDenied("This page is for site admins.")
        return view(request, *args, **kwargs)

    return wrapped


def member_view(
    *, at_least: Role = Role.VIEWER, write: Role | None = None, when_archived: bool = False
) -> Callable[..., Callable[..., Any]]:
    """Decorator: login page for anonymous users, 404 for others than members, 403 for too low a role.

    An archived collection is read-only: any method but GET and HEAD gives 403, unless `when_archived`.

    The view gets `(request, collection, ...)` with a MemberRequest. The URL gives `collection_id`. `write` is
    the role that any method but GET and HEAD needs (default: `at_least`).
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @login_required
        @wraps(view)
        def wrapped(request: HttpRequest, collection_id: int, *args: Any, **kwargs: Any) -> HttpResponse:
            needed = at_least if write is None or request.method in ("GET", "HEAD") else write
            collection, role = collection_for(request.user, collection_id)
            member_request = cast(MemberRequest, request)
            # Before what may be refused: the page that says so has the collection's menu.
            member_request.collection, member_request.role = collection, role
            if role < needed:
                # A lead invites up to their own role; above it only an admin can.
                whom = "an admin" if needed > Role.LEAD else "a lead"
                text = f"You need the role {needed.label} for this; you are {role.label} here. Ask {whom}."
                raise PermissionDenied(text)
            if collection.archived_at is not None and request.method not in ("GET", "HEAD") and not when_archived:
                raise PermissionDenied("This collection is archived. An admin can restore it in its settings.")
            member_request.can_edit, member_request.can_lead = role >= Role.REVIEWER, role >= Role.LEAD
            return view(member_request, collection, *args, **kwargs)

        return wrapped

    return decorate
