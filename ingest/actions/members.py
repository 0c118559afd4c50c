"""Members of a collection and their invitations. There is no open sign-up: accounts are created by invitation."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from ingest.actions import history, people
from ingest.actions.seen import changed
from ingest.errors import BadInput, Conflict, KomaError
from ingest.locking import hold
from ingest.models import Collection, Invitation, Membership, Role

INVITATION_DAYS = 7
INVITATIONS_OPEN_MAX = 100


class NoInvitation(KomaError):
    """The link is unknown, used, revoked or expired; the message does not say which."""

    def __init__(self) -> None:
        super().__init__("This invitation is no longer valid. Ask for a new link.")


def invite(*, collection: Collection, role: int, by: Any, by_role: Role) -> tuple[Invitation, str]:
    """Create an invitation for one person; returns it and the secret of its link, which is not stored.

    Raises BadInput for a role above the inviter's own.
    """
    new_role = _role(role)
    if new_role > by_role:
        raise BadInput(f"You are {by_role.label} here and can't invite anybody as {new_role.label}.")
    if open_invitations(collection).count() >= INVITATIONS_OPEN_MAX:
        raise BadInput("There are too many open invitations. Revoke some.")
    token = secrets.token_urlsafe(32)
    invitation = Invitation.objects.create(
        collection=collection,
        role=new_role,
        token_sha256=_digest(token),
        created_by=by,
        expires_at=timezone.now() + timedelta(days=INVITATION_DAYS),
    )
    return invitation, token


def open_invitations(collection: Collection) -> Any:
    """Invitations that can still be accepted, newest first."""
    rows = collection.invitations.filter(accepted_at__isnull=True, expires_at__gt=timezone.now())
    return rows.select_related("created_by").order_by("-pk")


def invitation_for(token: str) -> Invitation:
    """The open invitation behind a link. Raises NoInvitation. Looked up by its hash, so timing reveals nothing."""
    row = Invitation.objects.select_related("collection", "created_by").filter(token_sha256=_digest(token)).first()
    if row is None or row.accepted_at is not None or row.expires_at <= timezone.now() or not _inviter_still_may(row):
        raise NoInvitation
    return row


def _inviter_still_may(row: Invitation) -> bool:
    """Whether the inviter could still give this role today."""
    if not row.created_by.is_active:
        return False
    role = Membership.objects.filter(collection=row.collection_id, user=row.created_by_id).values_list(
        "role", flat=True
    )
    return max(role, default=0) >= max(row.role, Role.LEAD)


def accept(*, token: str, user: Any) -> Membership:
    """Add a logged-in person as a member; an existing role is raised, never lowered. A link works once."""
    with transaction.atomic():
        row = invitation_for(token)
        hold(row.collection_id)
        # Of two who open the same link at once, one gets it.
        taken = Invitation.objects.filter(pk=row.pk, accepted_at__isnull=True).update(
            accepted_at=timezone.now(), accepted_by=user
        )
        if taken != 1:
            raise NoInvitation
        member, is_new = Membership.objects.get_or_create(
            collection=row.collection, user=user, defaults={"role": row.role}
        )
        if not is_new and member.role < row.role:
            member.role = row.role
            member.save(update_fields=["role"])
        summary = f"{user.get_username()} joined as {Role(member.role).label}"
        with history.operation(collection=row.collection, by=user, kind="members.join", summary=summary):
            pass
    return member


def sign_up(*, token: str, name: str, password: str) -> Membership:
    """Create an account by an invitation and accept it. Raises NoInvitation, BadInput for a bad name or password."""
    invitation_for(token)
    try:
        with transaction.atomic():
            return accept(token=token, user=people.create(name=name, password=password))
    except people.NameTaken:
        raise BadInput("This name is taken. If it is yours, log in first and open the link again.") from None


def revoke(*, invitation: Invitation, by: Any) -> None:
    """Revoke an open invitation."""
    Invitation.objects.filter(pk=invitation.pk, accepted_at__isnull=True).delete()


def change_role(*, member: Membership, role: int, by: Any, by_role: Role, seen: str | None = None) -> Membership:
    """Give a member another role.

    Raises Stale where somebody did so since the page with the fingerprint `seen` was opened, BadInput for a role above
    one's own, Conflict for the last admin.
    """
    new_role = _role(role)
    with transaction.atomic():
        member = _locked(member)
        if new_role > by_role or member.role > by_role:
            raise BadInput("Only an admin can change the role of an admin.")
        if new_role < Role.ADMIN:
            _not_the_last_admin(member)
        name = member.user.get_username()
        summary = f"{name} is now {new_role.label}"
        with history.operation(collection=member.collection, by=by, kind="members.role", summary=summary):
            now = {"role_label": Role(member.role).label}
            changed(
                seen, now=now, new={"role_label": new_role.label}, who="Somebody", what=f"the role of {name}",
                labels={"role_label": "role"},
            )  # fmt: skip
            member.role = new_role
            member.save(update_fields=["role"])
    return member


def remove(*, member: Membership, by: Any, by_role: Role) -> None:
    """Remove a member (or leave). Their work stays under their name. Raises as `change_role`."""
    with transaction.atomic():
        member = _locked(member)
        if member.user_id != by.pk and (by_role < Role.ADMIN or member.role > by_role):
            raise BadInput("Only an admin can remove other members.")
        _not_the_last_admin(member)
        summary = f"{member.user.get_username()} is no longer a member"
        with history.operation(collection=member.collection, by=by, kind="members.remove", summary=summary):
            member.delete()


def _locked(member: Membership) -> Membership:
    """The current row, under the collection's lock: two admins who leave at once take turns."""
    hold(member.collection_id)
    rows = Membership.objects.select_for_update(of=("self",)).select_related("collection", "user")
    row = rows.filter(pk=member.pk).first()
    if row is None:
        raise Conflict("This person is no longer a member. Reload the page.")
    return row


def _not_the_last_admin(member: Membership) -> None:
    admins = Membership.objects.filter(collection=member.collection_id, role=Role.ADMIN)
    if member.role == Role.ADMIN and not admins.exclude(pk=member.pk).exists():
        raise Conflict("A collection needs at least one admin. Make somebody else an admin first.")


def _role(value: int) -> Role:
    try:
        return Role(int(value))
    except (TypeError, ValueError):
        raise BadInput("No such role.") from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
