"""Members of a collection, invitations, and the page that accepts one."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from ingest.access import MemberRequest, member_view
from ingest.actions import members as actions
from ingest.errors import KomaError
from ingest.models import Collection, Membership, Role
from ingest.params import as_int
from ingest.stamp import cached, stamp
from ingest.views.responses import errors_in_words, seen, success, worded


@member_view()
def members(request: MemberRequest, collection: Collection) -> HttpResponse:
    """The members and their roles; leads and admins also see open invitations."""
    return render(request, "ingest/members.html", _context(request, collection))


@member_view(at_least=Role.LEAD)
@require_POST
@never_cache
def invite(request: MemberRequest, collection: Collection) -> HttpResponse:
    """Create an invitation and show its link once; only the hash is stored."""
    role = request.POST.get("role", "")
    context = _context(request, collection)
    try:
        invitation, token = actions.invite(
            collection=collection, role=as_int(role) or 0, by=request.user, by_role=request.role
        )  # fmt: skip
    except KomaError as error:
        context["problem"] = error.message
        return render(request, "ingest/members.html", context, status=422)
    # The secret stands behind the #, which browsers send to nobody: no log and no referrer ever holds it.
    context["link"] = request.build_absolute_uri(reverse("join")) + "#" + token
    context["link_role"] = Role(invitation.role).label
    response = render(request, "ingest/members.html", context)
    return worded(response, "the link was shown once. If you missed it, revoke it and create another.")


@member_view(at_least=Role.LEAD)
@require_POST
@errors_in_words
def revoke(request: HttpRequest, collection: Collection, invitation_id: int) -> HttpResponse:
    """Revoke an open invitation."""
    actions.revoke(invitation=get_object_or_404(collection.invitations, pk=invitation_id), by=request.user)
    return success(request, "Invitation revoked.", to=reverse("members", args=[collection.pk]))


@member_view()
@require_POST
@errors_in_words
def change(request: MemberRequest, collection: Collection, member_id: int) -> HttpResponse:
    """Change a role (admins), remove a member (admins), or leave."""
    member = get_object_or_404(
        Membership.objects.select_related("user", "collection"), collection=collection, pk=member_id
    )
    role: Role = request.role
    to = reverse("members", args=[collection.pk])
    if "remove" in request.POST:
        actions.remove(member=member, by=request.user, by_role=role)
        is_self = member.user_id == request.user.pk
        return success(request, f"{member.user.get_username()} removed.", to="/" if is_self else to)
    if role < Role.ADMIN:
        raise PermissionDenied("Only an admin can change roles.")
    new_role = request.POST.get("role", "")
    actions.change_role(member=member, role=as_int(new_role) or 0, by=request.user, by_role=role, seen=seen(request))
    return success(request, f"{member.user.get_username()} is now {Role(member.role).label}.", to=to)


@login_not_required
@never_cache
@sensitive_post_parameters("password", "token")
def join(request: HttpRequest) -> HttpResponse:
    """The page behind an invitation link. The page's script sends the link's secret by POST."""
    token = request.POST.get("token", "")
    if request.method != "POST" or not token:
        return render(request, "ingest/join.html", {"waiting": True})
    try:
        invitation = actions.invitation_for(token)
        if request.user.is_authenticated and "accept" in request.POST:
            member = actions.accept(token=token, user=request.user)
        elif "name" in request.POST and not request.user.is_authenticated:
            member = actions.sign_up(token=token, name=request.POST["name"], password=request.POST.get("password", ""))
            login(request, member.user, backend="django.contrib.auth.backends.ModelBackend")
        else:
            return render(
                request,
                "ingest/join.html",
                {"invitation": invitation, "token": token, "role_label": Role(invitation.role).label},
            )
    except actions.NoInvitation as error:
        return render(request, "ingest/join.html", {"problem": error.message}, status=404)
    except KomaError as error:
        context = {
            "invitation": invitation,
            "token": token,
            "problem": error.message,
            "name": request.POST.get("name", ""),
            "role_label": Role(invitation.role).label,
        }
        return render(request, "ingest/join.html", context, status=422)
    messages.success(request, f"Welcome to {member.collection.name}. You are {Role(member.role).label} here.")
    return HttpResponseRedirect(f"/c/{member.collection_id}/")


def _context(request: MemberRequest, collection: Collection) -> dict[str, object]:
    role: Role = request.role
    rows = list(collection.memberships.select_related("user").order_by("-role", "user__username"))
    changes = cached("changes_by_person", stamp(collection), lambda: _changes_by_person(collection))
    for row in rows:
        row.role_label = Role(row.role).label  # type: ignore[attr-defined]
        row.changes, row.last_change = changes.get(row.user_id, (0, None))  # type: ignore[attr-defined]
    context: dict[str, object] = {
        "section": "members",
        "rows": rows,
        "roles": [(value, label) for value, label in Role.choices if value <= role],
        "reviewer": int(Role.REVIEWER),
    }
    if request.can_lead:
        invitations = list(actions.open_invitations(collection))
        for invitation in invitations:
            invitation.role_label = Role(invitation.role).label
        context["invitations"] = invitations
    return context


def _changes_by_person(collection: Collection) -> dict[int, tuple[int, datetime]]:
    """How many changes of the history each person made, and when the last one."""
    rows = collection.operations.exclude(by=None).order_by().values_list("by").annotate(n=Count("pk"), last=Max("at"))
    return {person: (n, last) for person, n, last in rows}
