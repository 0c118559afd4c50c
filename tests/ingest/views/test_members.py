"""Invitation links work once, for whom they were made, and roles are never given above one's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from ingest.models import Collection, Invitation, Membership, Operation, Role
from tests.conftest import PASSWORD, client_of
from tests.pages import html_of


def link_of(client: Client, collection: Collection, role: Role = Role.REVIEWER) -> str:
    page = html_of(client.post(f"/c/{collection.pk}/members/invite/", {"role": int(role)}))
    return page.split("/join/#")[1].split('"')[0]


def test_a_link_makes_an_account_and_a_member(as_alice: Client, collection: Collection) -> None:
    token = link_of(as_alice, collection)
    new = Client()
    assert "Tiny show" not in html_of(new.get("/join/"))
    page = html_of(new.post("/join/", {"token": token}))
    assert "Tiny show" in page
    assert "alice invites you as reviewer" in page
    done = new.post("/join/", {"token": token, "name": "dora", "password": "a long pass phrase 7"})
    assert done.headers["Location"] == f"/c/{collection.pk}/"
    assert Membership.objects.get(user__username="dora").role == Role.REVIEWER
    assert new.get(f"/c/{collection.pk}/members/").status_code == 200
    assert (
        Client().post("/join/", {"token": token, "name": "eve", "password": "a long pass phrase 7"}).status_code == 404
    )
    assert not User.objects.filter(username="eve").exists()


def test_only_the_hash_of_a_link_is_kept_and_its_secret_is_in_no_address(
    as_alice: Client, collection: Collection
) -> None:
    token = link_of(as_alice, collection)
    assert len(token) >= 40
    assert token not in str(list(Invitation.objects.values()))
    page = html_of(as_alice.get(f"/c/{collection.pk}/members/"))
    assert token not in page


def test_a_member_who_opens_a_link_is_raised_but_never_lowered(
    as_alice: Client, bob: User, charlie: User, collection: Collection
) -> None:
    client_of(bob).post("/join/", {"token": link_of(as_alice, collection, Role.LEAD), "accept": "1"})
    assert Membership.objects.get(user=bob).role == Role.LEAD
    client_of(bob).post("/join/", {"token": link_of(as_alice, collection, Role.VIEWER), "accept": "1"})
    assert Membership.objects.get(user=bob).role == Role.LEAD
    client_of(charlie).post("/join/", {"token": link_of(as_alice, collection, Role.VIEWER), "accept": "1"})
    assert Membership.objects.get(user=charlie).role == Role.VIEWER


def test_old_withdrawn_and_invented_links_say_the_same(as_alice: Client, collection: Collection) -> None:
    old, withdrawn = link_of(as_alice, collection), link_of(as_alice, collection)
    first, second = Invitation.objects.order_by("pk")
    Invitation.objects.filter(pk=first.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    as_alice.post(f"/c/{collection.pk}/members/invite/{second.pk}/withdraw/")
    for token in (old, withdrawn, "invented", "\ud7ff", "x" * 10_000):
        answer = Client().post("/join/", {"token": token})
        assert answer.status_code == 404
        assert "no longer valid" in html_of(answer)


@pytest.mark.parametrize(
    ("name", "password", "word"),
    [("bob", "a long pass phrase 7", "taken"), ("BOB", "a long pass phrase 7", "taken"), ("new", "short", "short"),
     ("new", "password123", "common"), ("a b<c>", "a long pass phrase 7", "valid"), ("", "a long pass phrase 7", "")],
)  # fmt: skip
def test_bad_names_and_passwords_are_reported_and_the_link_still_works(
    as_alice: Client, bob: User, collection: Collection, name: str, password: str, word: str
) -> None:
    token = link_of(as_alice, collection)
    answer = Client().post("/join/", {"token": token, "name": name, "password": password})
    assert answer.status_code == 422
    assert word in html_of(answer)
    assert Client().post("/join/", {"token": token}).status_code == 200
    bob.refresh_from_db()
    assert bob.check_password(PASSWORD)


def test_nobody_invites_or_raises_above_oneself(as_alice: Client, bob: User, collection: Collection) -> None:
    Membership.objects.filter(user=bob).update(role=Role.LEAD)
    lead = client_of(bob)
    assert lead.post(f"/c/{collection.pk}/members/invite/", {"role": int(Role.ADMIN)}).status_code == 422
    assert lead.post(f"/c/{collection.pk}/members/invite/", {"role": "9999"}).status_code == 422
    assert not Invitation.objects.exists()
    bobs = Membership.objects.get(user=bob)
    assert lead.post(f"/c/{collection.pk}/members/{bobs.pk}/", {"role": int(Role.ADMIN)}).status_code == 403
    bobs.refresh_from_db()
    assert bobs.role == Role.LEAD


def test_a_collection_keeps_one_admin(as_alice: Client, alice: User, bob: User, collection: Collection) -> None:
    alices = Membership.objects.get(user=alice)
    for values in ({"remove": "1"}, {"role": int(Role.VIEWER)}):
        answer = as_alice.post(f"/c/{collection.pk}/members/{alices.pk}/", values, headers={"HX-Request": "true"})
        assert answer.status_code == 409
    bobs = Membership.objects.get(user=bob)
    as_alice.post(f"/c/{collection.pk}/members/{bobs.pk}/", {"role": int(Role.ADMIN)})
    as_alice.post(f"/c/{collection.pk}/members/{alices.pk}/", {"remove": "1"})
    assert list(collection.memberships.values_list("user__username", flat=True)) == ["bob"]


def test_a_member_leaves_by_themselves_and_takes_nobody_out(
    as_bob: Client, alice: User, bob: User, collection: Collection
) -> None:
    admins = Membership.objects.get(user=alice)
    as_bob.post(f"/c/{collection.pk}/members/{admins.pk}/", {"remove": "1"})
    assert Membership.objects.filter(user=alice).exists()
    bobs = Membership.objects.get(user=bob)
    as_bob.post(f"/c/{collection.pk}/members/{bobs.pk}/", {"remove": "1"})
    assert as_bob.get(f"/c/{collection.pk}/members/").status_code == 404


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_login_sends_nobody_to_another_site(alice: User, target: str) -> None:
    answer = Client().post("/login/", {"username": "alice", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == "/"


def test_a_hostile_name_is_text_on_every_page(as_alice: Client, alice: User, collection: Collection) -> None:
    Collection.objects.filter(pk=collection.pk).update(name="<script>alert(1)</script>")
    for path in (
        "/",
        f"/c/{collection.pk}/members/",
        f"/c/{collection.pk}/settings/",
        f"/c/{collection.pk}/delete/",
        f"/c/{collection.pk}/add/",
    ):
        page: Any = as_alice.get(path)
        assert b"<script>alert" not in page.content
        assert b"&lt;script&gt;alert" in page.content


def test_the_page_says_who_changed_how_much_and_what_each_role_may(
    as_bob: Client, alice: User, collection: Collection
) -> None:
    for summary in ("one", "two"):
        Operation.objects.create(collection=collection, by=alice, kind="faces.name", summary=summary)
    other = Collection.objects.create(name="Other")
    Operation.objects.create(collection=other, by=alice, kind="faces.name", summary="elsewhere")
    page = as_bob.get(f"/c/{collection.pk}/members/")
    rows = {row.user.username: (row.changes, row.last_change is not None) for row in page.context["rows"]}
    assert (rows["alice"], rows["bob"]) == ((2, True), (0, False))
    assert "looks at everything" in html_of(page)
    assert "Invite somebody" not in html_of(page)  # bob is a reviewer
