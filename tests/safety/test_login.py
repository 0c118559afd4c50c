"""The way in and the way out: guessing is slowed down, ended sessions lead to the login page, errors tell nothing."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from project import login
from project.models import LoginFailure
from tests.conftest import PASSWORD, client_of, make_user
from tests.pages import html_of
from tests.safety.conftest import World

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
HTMX = {"HX-Request": "true"}


def attempt(name: str, password: str, *, address: str = "10.0.0.1", client: Client | None = None) -> Any:
    return (client or Client()).post("/login/", {"username": name, "password": password}, REMOTE_ADDR=address)


def test_after_some_wrong_passwords_even_the_right_one_waits(bob: User) -> None:
    for _ in range(login.OF_NAME_AND_ADDRESS):
        assert attempt("bob", "wrong").status_code == 200
    refused = attempt("bob", PASSWORD)
    assert refused.status_code == 429
    assert "Try again in 15 minutes" in html_of(refused)
    LoginFailure.objects.update(at=timezone.now() - login.WINDOW - timedelta(seconds=1))
    assert attempt("bob", PASSWORD).status_code == 302


TRIES_AT_ONCE = 50


def at_once(action: Callable[[int], Any]) -> list[Any]:
    """The answers of 50 threads that begin at the same moment, each with a connection of its own."""
    ready = threading.Barrier(TRIES_AT_ONCE)

    def run(n: int) -> Any:
        ready.wait()
        try:
            return action(n)
        finally:
            connection.close()

    with ThreadPoolExecutor(TRIES_AT_ONCE) as pool:
        return list(pool.map(run, range(TRIES_AT_ONCE)))


@pytest.mark.django_db(transaction=True)
def test_of_many_passwords_at_once_no_more_are_tried_than_may_fail(bob: User, monkeypatch: Any) -> None:
    checked: list[str] = []
    real = User.check_password
    monkeypatch.setattr(User, "check_password", lambda user, raw: checked.append(raw) or real(user, raw))
    answers = at_once(lambda n: attempt("bob", f"wrong {n}").status_code)
    assert sorted(answers) == [200] * login.OF_NAME_AND_ADDRESS + [429] * (TRIES_AT_ONCE - login.OF_NAME_AND_ADDRESS)
    assert len(checked) == login.OF_NAME_AND_ADDRESS


@pytest.mark.django_db(transaction=True)
def test_of_many_old_passwords_at_once_no_more_are_tried_than_may_fail(bob: User) -> None:
    clients = [client_of(bob) for _ in range(TRIES_AT_ONCE)]

    def change(n: int) -> int:
        form = {"old_password": f"wrong {n}", "new_password1": "a new one 77!", "new_password2": "a new one 77!"}
        return clients[n].post("/password/", form, REMOTE_ADDR="10.0.0.1").status_code

    answers = at_once(change)
    assert sorted(answers) == [200] * login.OF_NAME_AND_ADDRESS + [429] * (TRIES_AT_ONCE - login.OF_NAME_AND_ADDRESS)
    assert attempt("bob", PASSWORD).status_code == 429  # one count for both


@pytest.mark.django_db(transaction=True)
def test_of_many_invented_links_at_once_only_some_are_looked_up(db: None, monkeypatch: Any) -> None:
    monkeypatch.setattr(login, "OF_NAME_AND_ADDRESS", 5)
    answers = at_once(lambda n: Client().post("/join/", {"token": f"invented {n}"}).status_code)
    assert sorted(answers) == [404] * 5 + [429] * (TRIES_AT_ONCE - 5)


def test_the_old_password_is_asked_for_and_a_right_one_forgets_the_failures(bob: User, as_bob: Client) -> None:
    form = {"new_password1": "a new one 77!", "new_password2": "a new one 77!"}
    for _ in range(login.OF_NAME_AND_ADDRESS - 1):
        assert as_bob.post("/password/", form | {"old_password": "wrong"}).status_code == 200
    assert as_bob.post("/password/", form | {"old_password": PASSWORD}).status_code == 302
    assert not LoginFailure.objects.exists()
    for _ in range(login.OF_NAME_AND_ADDRESS):
        as_bob.post("/password/", form | {"old_password": "wrong"})
    refused = as_bob.post("/password/", form | {"old_password": "a new one 77!"})
    assert refused.status_code == 429 and "Try again in 15 minutes" in html_of(refused)


def test_the_admin_site_has_no_password_form_of_its_own(as_alice: Client) -> None:
    assert as_alice.get("/admin/password_change/").headers["Location"] == "/password/"


def test_a_refused_try_makes_the_wait_no_longer(bob: User) -> None:
    for _ in range(login.OF_NAME_AND_ADDRESS + 5):
        attempt("bob", "wrong")
    assert LoginFailure.objects.count() == login.OF_NAME_AND_ADDRESS


def test_other_spellings_of_a_name_count_as_the_same(bob: User) -> None:
    for n in range(login.OF_NAME_AND_ADDRESS):
        attempt(("bob", "BOB", "ｂｏｂ", " bob ")[n % 4], "wrong")
    assert attempt("bob", PASSWORD).status_code == 429


def test_a_stranger_elsewhere_does_not_lock_a_person_out(bob: User) -> None:
    for _ in range(login.OF_NAME_AND_ADDRESS):
        attempt("bob", "wrong", address="203.0.113.9")
    assert attempt("bob", PASSWORD).status_code == 302


def test_one_address_that_tries_many_names_has_to_wait(bob: User) -> None:
    LoginFailure.objects.bulk_create(LoginFailure(name=f"name{n}", address="10.0.0.1") for n in range(login.OF_ADDRESS))
    assert attempt("bob", PASSWORD).status_code == 429
    assert attempt("bob", PASSWORD, address="10.0.0.2").status_code == 302


def test_a_name_that_is_tried_from_many_addresses_has_to_wait(bob: User) -> None:
    LoginFailure.objects.bulk_create(LoginFailure(name="bob", address=f"10.1.0.{n}") for n in range(login.OF_NAME))
    assert attempt("bob", PASSWORD).status_code == 429


def test_whether_a_name_exists_is_not_told(bob: User) -> None:
    answers = []
    for name in ("bob", "nobody"):
        for _ in range(login.OF_NAME_AND_ADDRESS):
            first = attempt(name, "wrong")
        answers.append([html_of(page).replace(name, "") for page in (first, attempt(name, "wrong"))])
    without_tokens = [[re.sub(r"\w{64}", "", page) for page in pages] for pages in answers]
    assert without_tokens[0] == without_tokens[1]


def test_a_success_forgets_the_failures(bob: User) -> None:
    for _ in range(3):
        attempt("bob", "wrong")
    attempt("bob", PASSWORD)
    assert not LoginFailure.objects.exists()


def test_an_address_may_not_be_made_up_without_a_proxy(bob: User, rf: Any, settings: Any) -> None:
    request = rf.get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "1.2.3.4, 5.6.7.8"})
    assert login.address_of(request) == "10.0.0.1"
    settings.KOMA_HTTPS_PROXY = True
    assert login.address_of(request) == "5.6.7.8"  # what the proxy wrote; the rest came with the request
    assert login.address_of(rf.get("/", REMOTE_ADDR="2001:db8:1:2:3::4")) == "2001:db8:1:2::/64"
    assert login.address_of(rf.get("/", REMOTE_ADDR="::ffff:10.0.0.1")) == "10.0.0.1"
    assert login.address_of(rf.get("/", REMOTE_ADDR="")) == "unknown"


@pytest.mark.parametrize("target", ["/c/1/frames/?q=a", "/"])
def test_login_goes_on_to_the_page_that_was_wanted(bob: User, target: str) -> None:
    answer = Client().post("/login/", {"username": "bob", "password": PASSWORD, "next": target})
    assert answer.headers["Location"] == target


EVIL = ["https://evil.example/", "//evil.example/", "///evil.example", "javascript:alert(1)",
        "/\\evil.example", "http:evil.example", "\thttps://evil.example", "https://testserver@evil.example/",
        "\x01//evil.example"]  # fmt: skip


def test_nothing_leads_to_another_site(world: World, alice: User) -> None:
    client = client_of(alice)
    for target in EVIL:
        assert (
            Client().post("/login/", {"username": "alice", "password": PASSWORD, "next": target}).headers["Location"]
            == "/"
        )
        assert client.get("/login/", {"next": target}).headers["Location"] == "/"
        undo = client.post(world.address("undo"), headers={"Referer": target})
        assert undo.headers["Location"] == "/"
        page = Client().get(world.address("work"), headers=HTMX | {"HX-Current-URL": target})
        assert page.headers["HX-Redirect"] == "/login/?next=%2F"
    for sly in ("http://testserver//evil.example/", "http://testserver/\\evil.example"):
        assert client.post(world.address("undo"), headers={"Referer": sly}).headers[
            "Location"
        ] == "/evil.example" + "/" * (sly.endswith("/"))
        page = Client().get(world.address("work"), headers=HTMX | {"HX-Current-URL": sly})
        assert page.headers["HX-Redirect"].startswith("/login/?next=%2Fevil.example")


def test_an_ended_session_sends_htmx_to_the_login_page_and_back(world: World, alice: User) -> None:
    """Never a login form inside of a fragment; after the login the page that was open, not the fragment."""
    client = client_of(alice)
    here = f"http://testserver{world.address('frames')}?q=tag:smile"
    for verb, name in (("get", "work"), ("get", "frames"), ("post", "frame_tags"), ("post", "undo")):
        client = client_of(alice)
        client.session.flush()
        answer = getattr(client, verb)(world.address(name), {"add": "x"}, headers=HTMX | {"HX-Current-URL": here})
        assert answer.status_code == 204, name
        assert answer.content == b""
        assert (
            answer.headers["HX-Redirect"] == f"/login/?next=%2Fc%2F{world.collection.pk}%2Fframes%2F%3Fq%3Dtag%3Asmile"
        )
    response = client.get(world.address("frames"))
    assert response.status_code == 302


def test_a_member_who_was_taken_out_sees_nothing_from_then_on(world: World, bob: User, as_bob: Client) -> None:
    assert as_bob.get(world.address("frames")).status_code == 200
    world.collection.memberships.filter(user=bob).delete()
    for name in ("frames", "work", "run", "file", "export_download"):
        assert as_bob.get(world.address(name), headers=HTMX).status_code == 404, name


def test_a_page_older_than_the_login_is_reported_so(world: World, alice: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    answer = client.post(world.address("undo"), headers=HTMX)
    assert answer.status_code == 403
    assert "Reload" in json.loads(answer.headers["HX-Trigger"])["toast"]["text"]
    assert answer.headers["HX-Reswap"] == "none"
    page = client.post(world.address("undo"))
    assert page.status_code == 403
    assert "Reload" in html_of(page)
    assert "verification" not in html_of(page)


@pytest.mark.parametrize("debug", [False])
def test_error_pages_are_ours_and_tell_no_inner_things(
    world: World, alice: User, bob: User, settings: Any, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from annotate.queries import search

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("/srv/secret/path and the key hunter2")

    client = client_of(bob)
    client.raise_request_exception = False
    pages = {
        404: client.get("/nothing/here<script>/"),
        403: client.get(world.address("collection_settings")),
        400: client.get("/", {"q": "a\0b"}),
    }
    monkeypatch.setattr(search, "frames", broken)
    pages[500] = client.get(world.address("frames"))
    for status, page in pages.items():
        text = html_of(page)
        assert page.status_code == status
        assert '<header class="top">' in text
        assert 'href="/"' in text
        assert "script-src" in page.headers["Content-Security-Policy"]
        for inner in (
            "Traceback",
            "RuntimeError",
            "/srv/",
            "hunter2",
            "Django",
            "urls.py",
            "site-packages",
            "<script>/",
        ):
            assert inner not in text, (status, inner)


def test_the_reason_for_a_403_is_said(world: World, as_bob: Client) -> None:
    assert "you are reviewer here" in html_of(as_bob.get(world.address("collection_settings")))


def test_private_pages_are_kept_by_no_cache(world: World, as_alice: Client) -> None:
    page = as_alice.get(world.address("frames"))
    assert page.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" in page.headers["Vary"]
    text = html_of(page)
    assert 'hx-history="false"' in text
    assert '"historyCacheSize": 0' in text
    assert '"allowEval": false' in text


@pytest.mark.parametrize(
    "path", ["/admin/", "/admin/auth/user/", "/admin/auth/user/add/", "/admin/login/", "/admin/password_change/"]
)
def test_the_admin_site_is_for_admins_of_the_site_only(db: None, path: str) -> None:
    staff = make_user("sam", is_staff=True)
    staff.user_permissions.set(_all_permissions())
    anonymous = Client().get(path, follow=True)
    assert anonymous.redirect_chain[-1][0].startswith("/login/?next=/admin/")
    refused = client_of(staff).get(path, follow=True)
    assert refused.status_code == 403
    assert refused.redirect_chain == [] or refused.redirect_chain[-1][0].startswith("/admin/login/")


def _all_permissions() -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.all()


def test_nobody_makes_themselves_an_admin_of_the_site(bob: User, as_bob: Client, alice: User, as_alice: Client) -> None:
    data = {"username": "bob", "is_superuser": "on", "is_staff": "on", "is_active": "on"}
    as_bob.post(f"/admin/auth/user/{bob.pk}/change/", data)
    as_bob.post("/password/", data | {"old_password": "x"})
    bob.refresh_from_db()
    assert not bob.is_superuser
    assert as_alice.get("/admin/auth/user/").status_code == 200


def test_static_files_are_no_way_out_of_their_folder(client: Client) -> None:
    for path in ("/static/../manage.py", "/static/..%2fmanage.py", "/static/%2e%2e/project/settings.py",
                 "/static//etc/passwd", "/static../manage.py", "/media/x", "/store/x", "/.git/config",
                 "/static/css/../../manage.py"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code in (302, 404), path
        text = b"".join(answer)
        assert not any(word in text for word in (b"DJANGO_SETTINGS", b"SECRET_KEY", b"root:", b"[core]")), path
