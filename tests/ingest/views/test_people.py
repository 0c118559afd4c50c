"""Site admins add people, set passwords, disable accounts and share their rights, without Django's admin site."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from ingest.actions import people
from ingest.errors import BadInput, Conflict
from ingest.models import Collection
from tests.conftest import PASSWORD, client_of
from tests.pages import html_of
from tests.safety.test_two_people import together

pytestmark = pytest.mark.django_db
SECRET = re.compile(r'value="([a-z2-9]{5}(?:-[a-z2-9]{5}){3})"')


def act(client: Client, person: User, action: str) -> Any:
    return client.post(reverse("site_account", args=[person.pk]), {"act": action}, follow=True)


def password_on(response: Any) -> str:
    match = SECRET.search(html_of(response))
    assert match is not None
    return match[1]


def can_log_in(name: str, password: str) -> bool:
    return Client().login(username=name, password=password)


def test_a_person_is_added_with_a_password_that_is_shown_once(as_alice: Client, alice: User) -> None:
    response = as_alice.post(reverse("site_person_add"), {"name": " Zoë "})
    assert response.headers["Cache-Control"] == "no-store"
    password = password_on(response)
    assert can_log_in("Zoë", password)
    assert not User.objects.get(username="Zoë").is_superuser
    assert password not in html_of(as_alice.get(reverse("site_people")))


@pytest.mark.parametrize(
    ("name", "words"), [("BOB", "taken"), ("", "Enter a valid username"), ("a b", "valid"), ("x" * 151, "150")]
)
def test_a_name_that_cannot_be_is_refused_and_stays_in_the_field(
    as_alice: Client, bob: User, name: str, words: str
) -> None:
    response = as_alice.post(reverse("site_person_add"), {"name": name})
    assert response.status_code == 422
    assert words in html_of(response)
    assert not name or f'value="{name}"' in html_of(response)
    assert User.objects.count() == 2


def test_a_new_password_replaces_the_old_one_and_ends_sessions(as_alice: Client, bob: User) -> None:
    session = client_of(bob)
    assert session.get("/").status_code == 200
    password = password_on(act(as_alice, bob, "password"))
    assert can_log_in("bob", password)
    assert not can_log_in("bob", PASSWORD)
    assert session.get("/").status_code == 302


def test_a_disabled_person_is_out_at_once_and_comes_back_when_enabled(as_alice: Client, bob: User) -> None:
    session = client_of(bob)
    assert "logged out" in html_of(act(as_alice, bob, "disable"))
    assert session.get("/").status_code == 302
    assert not can_log_in("bob", PASSWORD)
    assert "Somebody did this already" in html_of(act(as_alice, bob, "disable"))
    act(as_alice, bob, "enable")
    assert can_log_in("bob", PASSWORD)
    assert session.get("/").status_code == 302  # whoever has the old session is out for good
    assert as_alice.get("/").status_code == 200


def test_rights_of_a_site_admin_are_given_and_taken(as_alice: Client, bob: User) -> None:
    as_bob = client_of(bob)
    assert as_bob.get(reverse("site_people")).status_code == 403
    act(as_alice, bob, "admin")
    assert as_bob.get(reverse("site_people")).status_code == 200
    act(as_alice, bob, "no_admin")
    assert as_bob.get(reverse("site_people")).status_code == 403


@pytest.mark.parametrize("action", ["password", "disable", "no_admin"])
def test_nobody_locks_themselves_out(as_alice: Client, alice: User, action: str) -> None:
    response = act(as_alice, alice, action)
    assert "our own" in html_of(response)
    alice.refresh_from_db()
    assert alice.is_active and alice.is_superuser
    assert can_log_in("alice", PASSWORD)


@pytest.mark.parametrize("name", ["site_person_add", "site_account"])
def test_others_may_do_none_of_it(as_bob: Client, alice: User, bob: User, name: str) -> None:
    address = reverse(name, args=[alice.pk] if name == "site_account" else [])
    assert as_bob.post(address, {"act": "disable", "name": "x"}).status_code == 403
    assert as_bob.get(address).status_code in (403, 405)
    assert User.objects.filter(is_active=True).count() == 2


def test_who_lost_the_rights_in_the_meantime_takes_them_from_nobody(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_superuser=True)
    bob.refresh_from_db()
    people.set_site_admin(person=bob, site_admin=False, by=alice)
    with pytest.raises(Conflict, match="no site admin any more"):
        people.set_enabled(person=alice, enabled=False, by=bob)
    with pytest.raises(BadInput):
        people.set_site_admin(person=alice, site_admin=False, by=alice)


@pytest.mark.django_db(transaction=True)
@pytest.mark.postgres
def test_of_two_site_admins_who_disable_each_other_at_once_one_stays(alice: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_superuser=True, is_staff=True)
    bob.refresh_from_db()
    together(
        lambda: people.set_enabled(person=bob, enabled=False, by=alice),
        lambda: people.set_enabled(person=alice, enabled=False, by=bob),
    )
    assert User.objects.filter(is_active=True, is_superuser=True).count() == 1


def test_a_form_sent_twice_says_that_its_secret_was_shown_once(as_alice: Client, collection: Collection) -> None:
    for address, form, words in (
        (reverse("site_person_add"), {"name": "zed"}, "the password of zed was shown once"),
        (reverse("invite", args=[collection.pk]), {"role": "20"}, "the link was shown once"),
    ):
        assert as_alice.post(address, form | {"key": "same"}).status_code == 200
        assert words in html_of(as_alice.post(address, form | {"key": "same"}, follow=True))
    assert collection.invitations.count() == 1
