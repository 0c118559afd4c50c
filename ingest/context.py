"""What every page needs: the collections to switch to, and what this person may do in the current one."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from ingest.models import Collection, Role

SWITCHER_MAX = 30


def page_frame(request: HttpRequest) -> dict[str, Any]:
    """`my_collections` is lazy (one query when drawn); `collection` is the one of the access check, or None."""
    user = getattr(request, "user", None)

    def own_collections() -> list[dict[str, Any]]:
        if user is None or not user.is_authenticated:
            return []
        rows = Collection.objects.visible_to(user).active().values("pk", "name")[:SWITCHER_MAX]
        return [dict(row) for row in rows]

    return {"my_collections": SimpleLazyObject(own_collections), "collection": getattr(request, "collection", None)}


def rights(request: HttpRequest) -> dict[str, bool]:
    """What the role allows: reviewers `can_edit`, leads `can_lead`, admins `can_manage`. A view may narrow them."""
    role = getattr(request, "role", 0)  # pages of no collection have none
    return {"can_edit": role >= Role.REVIEWER, "can_lead": role >= Role.LEAD, "can_manage": role >= Role.ADMIN}
