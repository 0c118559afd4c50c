"""Pages of errors lead on: with the collection's menu for its members, and with nothing of it for others."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client, RequestFactory

from ingest.models import Collection, Membership, Role
from ingest.views import runs
from project.errors import server_error
from tests.conftest import client_of
from tests.pages import html_of

pytestmark = pytest.mark.django_db

MENU = '<nav class="rail"'


def test_an_unknown_address_of_a_collection_keeps_its_menu_for_members(
    as_alice: Client, collection: Collection
) -> None:
    for address in ("no-such-page/", "frames/999999/"):
        response = as_alice.get(f"/c/{collection.pk}/{address}")
        page = html_of(response)
        assert response.status_code == 404
        assert MENU in page
        assert f'class="btn primary" href="/c/{collection.pk}/"' in page.replace("\n", " ").replace("  ", "")


def test_an_address_that_only_takes_forms_leads_on_when_it_is_opened(
    as_alice: Client, as_charlie: Client, collection: Collection
) -> None:
    address = f"/c/{collection.pk}/tags/preview/"
    response = as_alice.get(address)
    page = html_of(response)
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert "This address only takes a form" in page and MENU in page
    for other in (as_alice.get(address, headers={"HX-Request": "true"}), as_alice.head(address)):
        assert (other.status_code, other.content) == (405, b"")
    assert collection.name not in html_of(as_charlie.get(address))


def test_others_cannot_tell_a_collection_from_none(as_charlie: Client, collection: Collection) -> None:
    pages = []
    for pk in (collection.pk, 999_999, 10**17):
        response = as_charlie.get(f"/c/{pk}/no-such-page/")
        assert response.status_code == 404
        pages.append(re.sub(r'"X-CSRFToken": "\w+"|value="\w{64}"', "", html_of(response)))
    assert MENU not in pages[0]
    assert collection.name not in pages[0]
    assert pages[0] == pages[1] == pages[2]


def test_an_unknown_address_is_answered_without_a_login(client: Client, collection: Collection) -> None:
    response = client.get(f"/c/{collection.pk}/no-such-page/")
    assert response.status_code == 404
    assert MENU not in html_of(response)


def test_too_low_a_role_leads_to_those_who_can_allow_it(charlie: User, collection: Collection) -> None:
    Membership.objects.create(collection=collection, user=charlie, role=Role.VIEWER)
    response = client_of(charlie).get(f"/c/{collection.pk}/settings/")
    page = html_of(response)
    assert response.status_code == 403
    assert MENU in page
    assert f'class="btn" href="/c/{collection.pk}/members/"' in page


def test_who_lacks_a_role_is_sent_to_somebody_who_can_give_it(as_bob: Client, collection: Collection) -> None:
    for page, words in (
        ("settings", "You need the role admin for this; you are reviewer here. Ask an admin."),
        ("add", "You need the role lead for this; you are reviewer here. Ask a lead."),
    ):
        assert words in html_of(as_bob.get(f"/c/{collection.pk}/{page}/"))


def test_a_mistake_of_ours_offers_to_try_again(
    as_alice: Client, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(runs.progress, "summaries", fail)
    as_alice.raise_request_exception = False
    response = as_alice.get(f"/c/{collection.pk}/runs/?lane=1")
    page = html_of(response)
    assert response.status_code == 500
    assert MENU in page
    assert f'class="btn primary" href="/c/{collection.pk}/runs/?lane=1">Try again' in page


def test_a_mistake_is_answered_even_when_its_page_cannot_be_drawn_with_the_request() -> None:
    request = RequestFactory().get("/c/1/")
    request.collection = "no collection"  # type: ignore[attr-defined]
    response = server_error(request)
    assert response.status_code == 500
    assert MENU not in response.content.decode()
