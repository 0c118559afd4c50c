"""Whatever stands in a query or a form, no page breaks: it is used, ignored, or refused in words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate.models import Tag
from tests.conftest import client_of
from tests.pages import html_of
from tests.safety.conftest import World, taken_back
from tests.safety.test_addresses import IN_COLLECTION

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = "\n".join(path.read_text() for app in ("ingest", "annotate", "export") for path in (ROOT / app).rglob("*.py"))
FIELDS = sorted(
    set(re.findall(r'(?:GET|POST|values|query)(?:\.get(?:list)?\(|\[)"([\w.]+)"', SOURCES))
    | set(re.findall(r'"([\w.]+)" in request\.POST', SOURCES))
    | {
        "left",
        "top",
        "right",
        "bottom",
        "balance.max_multiply",
        "caption.seed",
        "output.layout",
        "arrange.format",
        "select.min_faces",
        "extract.mode",
    }
)
ACTS = sorted(
    set(re.findall(r'act(?:ion)? (?:==|in) \(?"(\w+)"', SOURCES)) | {"tag_add", "not_a_face", "merge", "outfit"}
)
ODD = [
    "", "²", "٣", "-1", "0", "1", "1.5", "nan", "inf", "1e400", "9" * 18, "9" * 30, "9" * 5000,
    "9" * 18 + "." + "9" * 18,
    "nan:1", "1e999:2", "<script>alert(1)</script>", "../../etc/passwd", "a\r\nSet-Cookie: x=1", "\u202egnp.exe",
    "\ufeff",
    "'; DROP TABLE x; --", "%00", "%", "_", '"', "a" * 3000, "user__password__startswith:a", "tag:", "-", '-"', "x:y",
    "faces:>=²", "faces:999999", "shot:-1", "like:999999", "episode:" + "9" * 400, "order:?", "state:all reason:blend",
    "\U0001f600" * 300, "\x01\x1f", "null", "[]", "{}",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(ODD), st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=60)
)
FUZZ = settings(
    max_examples=120, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
READ = sorted(name for name, (get, _) in IN_COLLECTION.items() if get is not None)
QUERIED = ("frames", "faces", "character", "history", "export", "library", "run_start", "estimate", "tag_names",
           "character_names", "query_names", "upload")  # fmt: skip
WRITE = sorted(name for name, (_, post) in IN_COLLECTION.items() if post is not None)


def test_the_fields_of_the_views_were_found() -> None:
    assert {"after", "q", "before", "frame", "face", "out", "version", "limit"} <= set(FIELDS)
    assert {"rename", "drop", "split"} <= set(ACTS)


@pytest.mark.parametrize("name", QUERIED)
def test_a_page_takes_any_query(world: World, alice: User, name: str) -> None:
    client, url = client_of(alice), world.address(name)
    pages = ("after", "page", "before", "q", "into", "recipe", "order", "root", "path", "episode", "stage", "offset")
    for odd in ODD:
        answer = client.get(url, dict.fromkeys(pages, odd))
        assert answer.status_code < 500, odd


def test_every_page_takes_some_odd_queries(world: World, alice: User) -> None:
    client = client_of(alice)
    for name in READ:
        for odd in ("²", "9" * 30, "<script>"):
            query = dict.fromkeys(FIELDS, odd)
            assert client.get(world.address(name), query).status_code < 500, name


@FUZZ
@given(name=st.sampled_from(WRITE), form=st.dictionaries(st.sampled_from(FIELDS), texts, max_size=8),
       act=st.sampled_from(["", *ACTS]), real=st.booleans(), htmx=st.booleans())  # fmt: skip
def test_a_form_takes_any_text(
    world: World, alice: User, name: str, form: dict[str, Any], act: str, real: bool, htmx: bool
) -> None:
    """`real`: the keys of real rows, so that the words reach the actions."""
    keys = {"frame": world.frames[0].pk, "face": world.faces[0].pk, "out": world.faces[0].pk,
            "left": "0.2", "top": "0.2",
            "right": "0.6", "bottom": "0.6", "into": world.rows["character_id"].pk,
            "episode": world.rows["episode_id"].pk}  # fmt: skip
    data = ({"act": act} if act else {}) | form | (keys if real else {})
    with taken_back():
        answer = client_of(alice).post(world.address(name), data, headers={"HX-Request": "true"} if htmx else {})
        assert answer.status_code < 500
        for header, value in answer.headers.items():
            assert not set(value) & {"\r", "\n", "\0"}, header


def test_a_zero_byte_is_refused_before_it_reaches_the_database(world: World, alice: User) -> None:
    client = client_of(alice)
    for field in FIELDS:
        assert client.get(world.address("frames"), {field: "a\0b"}).status_code == 400
        assert client.post(world.address("character_create"), {"name": "x", field: "a\0b"}).status_code == 400


def test_a_zero_byte_in_an_address_is_refused(world: World, as_alice: Client) -> None:
    assert as_alice.get(f"/c/{world.collection.pk}/file/ab%00.png").status_code in (400, 404)


@pytest.mark.parametrize("number", ["9" * 18, "9" * 25, "9" * 5000, "-1", "²", "1e3", "0x1", "%20"])
def test_a_number_that_is_none_is_no_address(world: World, as_alice: Client, number: str) -> None:
    for path in ("/c/{}/", "/c/1/frames/{}/", "/c/1/faces/{}/change/", "/c/1/runs/{}/", "/c/1/undo/{}/"):
        url = path.replace("/c/1/", f"/c/{world.collection.pk}/").format(number)
        assert as_alice.get(url).status_code in (404, 405), path
        assert as_alice.post(url, {"name": "x"}).status_code in (404, 405), path


def test_completion_takes_long_text_and_answers_with_a_short_list(world: World, as_alice: Client) -> None:
    Tag.objects.bulk_create([Tag(name=f"a{n}", common=True) for n in range(40)])
    for text in ("a" * 50_000, "%" * 5000, "_" * 5000, "\\" * 999, "é" * 9999, "'" * 9999):
        for name in ("tag_names", "character_names", "query_names"):
            answer = as_alice.get(world.address(name), {"q": text})
            assert answer.status_code == 200
            assert len(answer.json()["names"]) <= 12
    assert len(as_alice.get(world.address("tag_names"), {"q": "a"}).json()["names"]) == 12


FORBIDDEN = [
    "user__password__startswith:a", "collection__memberships__user__password:x", "pk:1", "episode__source__path:x",
     "faces__named_user__password:a", "__class__:x", "tag__name:x", "state__in:kept", "decided_by:alice",
]  # fmt: skip


def test_a_filter_that_is_not_on_the_list_is_refused_by_name(world: World, as_alice: Client) -> None:
    for query in FORBIDDEN:
        answer = as_alice.get(world.address("frames"), {"q": query})
        assert answer.status_code == 200
        assert "There is no filter" in html_of(answer), query
        assert answer.context["total"] == 0


def test_a_page_never_grows_with_what_the_query_asks(world: World, as_alice: Client) -> None:
    from tests.annotate.views.conftest import add_frame

    for n in range(100, 190):
        add_frame(world.collection, world.rows["episode_id"], n, file=world.rows["name"], preview=world.rows["name"])
    for key in ("page_size", "size", "limit", "per_page", "count"):
        answer = as_alice.get(world.address("frames"), {key: "100000"})
        assert len(answer.context["frames"]) == 60


def test_too_many_fields_and_too_much_text_are_refused(world: World, as_alice: Client) -> None:
    many = "&".join(f"frame={n}" for n in range(6000))
    url, kind = world.address("frames_change"), "application/x-www-form-urlencoded"
    as_alice.raise_request_exception = False
    assert as_alice.post(url, many, content_type=kind).status_code == 400
    assert as_alice.post(url, "tag=" + "a" * (33 * 2**20), content_type=kind).status_code in (400, 413)
