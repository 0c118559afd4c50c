"""A claim tells others to take the next item: it runs out, moves with its holder, and only one of two gets it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.actions import claims
from annotate.models import Claim, FaceCluster, ItemKind, Presence
from ingest.models import Collection, Membership, Role
from tests.conftest import client_of
from tests.safety.test_two_people import together

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


@pytest.fixture()
def clusters(collection: Collection) -> list[FaceCluster]:
    return [FaceCluster.objects.create(collection=collection, number=n, size=2) for n in range(3)]


def common(collection: Collection, by: User) -> dict[str, Any]:
    return {"collection": collection, "kind": ItemKind.CLUSTER, "by": by}


def test_one_holds_until_it_runs_out_or_is_let_go(collection: Collection, alice: User, bob: User) -> None:
    assert claims.claim(item=7, **common(collection, alice))
    assert not claims.claim(item=7, **common(collection, bob))
    assert claims.held_by_others(**common(collection, bob)) == {7: "alice"}
    assert claims.held_by_others(**common(collection, alice)) == {}
    assert claims.claim(item=7, **common(collection, alice))  # renewed
    left = Claim.objects.get().until - timezone.now()
    assert timedelta(seconds=110) < left <= claims.HOLD
    Claim.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert claims.held_by_others(**common(collection, bob)) == {}
    assert claims.claim(item=7, **common(collection, bob))
    claims.release(item=7, **common(collection, alice))  # not hers any more
    assert claims.held_by_others(**common(collection, alice)) == {7: "bob"}
    claims.release(item=7, **common(collection, bob))
    assert not Claim.objects.exists()


def test_one_person_holds_one_item_of_a_kind(collection: Collection, alice: User) -> None:
    for item in (1, 2, 3):
        assert claims.claim(item=item, **common(collection, alice))
    assert list(Claim.objects.values_list("item", flat=True)) == [3]


def test_of_two_who_ask_at_the_same_moment_one_gets_it(collection: Collection, alice: User, bob: User) -> None:
    for item in range(6):
        if item % 2:  # one that ran out
            Claim.objects.create(
                user=alice, collection=collection, kind="cluster", item=item,
                until=timezone.now() - timedelta(minutes=5),
            )  # fmt: skip
        got = together(
            lambda item=item: claims.claim(item=item, **common(collection, alice)),
            lambda item=item: claims.claim(item=item, **common(collection, bob)),
        )
        assert sorted(got) == [False, True]


def test_who_is_here_is_reported_without_oneself_and_runs_out(collection: Collection, alice: User, bob: User) -> None:
    assert claims.be_here(collection=collection, place="faces", by=alice) == []
    assert claims.be_here(collection=collection, place="frame:1", by=bob) == []
    assert claims.be_here(collection=collection, place="faces", by=bob) == ["alice"]
    Presence.objects.filter(user=alice).update(until=timezone.now())
    assert claims.be_here(collection=collection, place="faces", by=bob) == []
    claims.be_here(collection=collection, place="faces", by=alice)
    Membership.objects.filter(user=alice).delete()
    assert claims.be_here(collection=collection, place="faces", by=bob) == []  # no member any more


def test_open_pages_of_a_person_are_bounded(collection: Collection, alice: User) -> None:
    for n in range(3 * claims.PLACES_MAX):
        claims.be_here(collection=collection, place=f"frame:{n}", by=alice)
    assert Presence.objects.count() == claims.PLACES_MAX
    assert Presence.objects.filter(place=f"frame:{3 * claims.PLACES_MAX - 1}").exists()


def ask(client: Client, collection: Collection, **values: Any) -> Any:
    return client.post(reverse("here", args=[collection.pk]), {"place": "faces"} | values)


def test_the_page_hears_of_others_in_its_own_collection_alone(
    collection: Collection, clusters: list[FaceCluster], alice: User, bob: User, charlie: User
) -> None:
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=charlie, role=Role.ADMIN)
    foreign = FaceCluster.objects.create(collection=other, number=0, size=2)
    assert ask(client_of(alice), collection, claim=clusters[0].pk).json() == {"people": [], "held": {}}
    assert ask(client_of(bob), collection).json() == {"people": ["alice"], "held": {str(clusters[0].pk): "alice"}}
    assert ask(client_of(charlie), other).json() == {"people": [], "held": {}}
    assert ask(client_of(charlie), collection).status_code == 404
    ask(client_of(bob), collection, claim=foreign.pk)
    assert not Claim.objects.filter(item=foreign.pk).exists()
    assert ask(client_of(bob), collection, place="members").status_code in (302, 422)


def test_a_viewer_is_seen_and_holds_nothing(
    collection: Collection, clusters: list[FaceCluster], alice: User, bob: User
) -> None:
    Membership.objects.filter(user=bob).update(role=Role.VIEWER)
    ask(client_of(bob), collection, claim=clusters[0].pk)
    assert ask(client_of(alice), collection).json() == {"people": ["bob"], "held": {}}


def test_leaving_lets_go_at_once(collection: Collection, clusters: list[FaceCluster], alice: User, bob: User) -> None:
    ask(client_of(alice), collection, claim=clusters[0].pk)
    assert ask(client_of(alice), collection, leave="1").status_code == 204
    assert ask(client_of(bob), collection).json() == {"people": [], "held": {}}
