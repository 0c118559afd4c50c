"""Hold and release an item, and list who has which page open. None of this enters the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from annotate.models import Claim, ItemKind, Presence
from ingest.models import Collection

HOLD = timedelta(minutes=2)
HERE = timedelta(seconds=45)  # three missed polls
PLACES_MAX = 20  # open pages of one person in one collection
SHOWN_MAX = 20  # people on a page
CLAIMS_MAX = 200  # shown per collection


def claim(*, collection: Collection, kind: ItemKind, item: int, by: Any) -> bool:
    """Hold an item for two minutes; False where somebody else holds it. A person holds one item per kind."""
    now = timezone.now()
    claims = Claim.objects.filter(collection=collection, kind=kind)
    claims.filter(user=by).exclude(item=item).delete()
    free = claims.filter(Q(user=by) | Q(until__lte=now), item=item)
    if free.update(user=by, until=now + HOLD):  # one statement: of two requests at once, the second finds it held
        return True
    try:
        with transaction.atomic():
            Claim.objects.create(collection=collection, kind=kind, item=item, user=by, until=now + HOLD)
    except IntegrityError:
        return False
    return True


def release(*, collection: Collection, kind: ItemKind, by: Any, item: int | None = None) -> None:
    """Release one item, or the held item of the kind."""
    rows = Claim.objects.filter(collection=collection, kind=kind, user=by)
    (rows if item is None else rows.filter(item=item)).delete()


def held_by_others(*, collection: Collection, kind: ItemKind, by: Any) -> dict[int, str]:
    """Names of other people by the item that they hold."""
    rows = Claim.objects.filter(collection=collection, kind=kind, until__gt=timezone.now()).exclude(user=by)
    return dict(rows.order_by("-until").values_list("item", "user__username")[:CLAIMS_MAX])


def be_here(*, collection: Collection, place: str, by: Any) -> list[str]:
    """Record that a person has a page open; returns the names of the others on it."""
    now = timezone.now()
    own_pages = Presence.objects.filter(collection=collection, user=by)
    if not own_pages.filter(place=place).update(until=now + HERE):
        Presence.objects.filter(collection=collection, until__lte=now).delete()
        Claim.objects.filter(collection=collection, until__lte=now).delete()
        oldest = own_pages.order_by("-until").values_list("pk", flat=True)[PLACES_MAX - 1 :]
        own_pages.filter(pk__in=list(oldest)).delete()
        try:
            with transaction.atomic():
                Presence.objects.create(collection=collection, user=by, place=place, until=now + HERE)
        except IntegrityError:  # another tab of the same person
            pass
    others = Presence.objects.filter(collection=collection, place=place, until__gt=now).exclude(user=by)
    members = others.filter(user__in=collection.memberships.values("user"))
    return list(members.order_by("user__username").values_list("user__username", flat=True)[:SHOWN_MAX])


def leave(*, collection: Collection, place: str, by: Any) -> None:
    """Record that a page was closed, and release what was held on it."""
    Presence.objects.filter(collection=collection, user=by, place=place).delete()
    if place == "faces":
        release(collection=collection, kind=ItemKind.CLUSTER, by=by)
