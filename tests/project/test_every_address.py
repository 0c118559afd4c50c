"""Whoever is no member learns nothing from any address, found by walking the real table of addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from annotate.models import Character
from ingest.backup import graph
from ingest.models import Collection, Episode, Frame, PipelineRun, Source
from tests.conftest import client_of
from tests.pages import html_of

FILL = {"name": "ab/cd/" + "ab" * 32 + ".png"}  # what stands in for parameters that are no numbers
# Open to people who are not logged in: the way in, and the machine's question whether we are up.
OPEN = {"login", "logout", "join", "healthz"}


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    for entry in (resolver or get_resolver()).url_patterns:
        if isinstance(entry, URLResolver):
            if entry.namespace is None:  # the admin site has its own tests
                yield from patterns(entry)
        else:
            yield entry


NAMES = sorted({p.name for p in patterns() if p.name})


def address(name: str, collection: Collection) -> str | None:
    """The address with the collection's number and 1 for everything else; None for one without a collection."""
    pattern = next(p for p in patterns() if p.name == name)
    converters = pattern.pattern.converters
    if "collection_id" not in converters:
        return None
    values = {key: FILL.get(key, 1) for key in converters} | {"collection_id": collection.pk}
    return reverse(name, kwargs=values)


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_gets_404_everywhere(name: str, collection: Collection, charlie: User) -> None:
    url = address(name, collection)
    if url is None:
        return
    client = client_of(charlie)
    for method in ("get", "post", "put", "delete"):
        answer = getattr(client, method)(url)
        assert answer.status_code == 404, f"{method} {url}"
        assert collection.name not in html_of(answer)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_logged_in_is_sent_to_the_login_page(name: str, collection: Collection) -> None:
    url = address(name, collection)
    if url is None:
        if name in OPEN or next(p for p in patterns() if p.name == name).pattern.converters:
            return
        url = reverse(name)
    for method in ("get", "post"):
        answer = getattr(Client(), method)(url)
        assert answer.status_code == 302, f"{method} {url}"
        assert answer.headers["Location"].startswith("/login/?next=")


def test_reading_changes_nothing(collection: Collection, alice: User, make_rows: None) -> None:
    """GET of every address, as the person who may do everything, with rows behind the numbers."""
    client = client_of(alice)
    client.get("/")  # the session may be saved once
    before = everything()
    answers = []
    for name in NAMES:
        url = address(name, collection)
        if url is not None:
            answers.append(client.get(url).status_code)
            assert everything() == before, url
    assert answers.count(200) > 15, answers


@pytest.fixture()
def make_rows(collection: Collection, alice: User) -> None:
    """Rows with the key 1, where the addresses look for them."""
    source = Source.objects.create(pk=1, collection=collection, kind="video", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(pk=1, collection=collection, source=source, title="a")
    Frame.objects.create(pk=1, collection=collection, episode=episode, index=0, width=4, height=4, preview=FILL["name"])
    Character.objects.create(pk=1, collection=collection, name="Hinata")
    PipelineRun.objects.create(pk=1, collection=collection, code_version="1", state="done")


def everything() -> dict[str, list[tuple[object, ...]]]:
    """All rows of all collections, as values."""
    return {m._meta.label: list(m._default_manager.order_by("pk").values_list()) for m in graph.owned()}


@pytest.mark.parametrize("name", NAMES)
def test_forms_need_their_token(name: str, collection: Collection, alice: User) -> None:
    url = address(name, collection)
    if url is None:
        return
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    for method in ("post", "put", "delete"):
        assert getattr(strict, method)(url).status_code in (403, 405), f"{method} {url}"


def test_the_table_of_addresses_is_really_walked() -> None:
    assert {"collections", "upload", "file", "frames", "export", "members"} <= set(NAMES)
