"""Stored pictures go only to members, and only those that rows of their collection name."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from annotate.models import Face
from ingest.models import Collection, Episode, Frame, Membership, Role, Source
from ingest.storage.stored_files import store
from tests.films import png


@pytest.fixture()
def frame(collection: Collection) -> Frame:
    source = Source.objects.create(collection=collection, kind="pictures", name="a", path="a", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    full, small = store().put_many([(png(shade=1), "png"), (b"\xff\xd8small", "jpg")])
    return Frame.objects.create(
        collection=collection, episode=episode, index=0, width=48, height=32, file=full, preview=small
    )


def test_a_member_gets_the_picture_with_careful_headers(as_bob: Client, collection: Collection, frame: Frame) -> None:
    answer = as_bob.get(f"/c/{collection.pk}/file/{frame.file}")
    assert answer.status_code == 200
    assert b"".join(answer.streaming_content) == png(shade=1)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "private" in answer.headers["Cache-Control"]
    assert "immutable" in answer.headers["Cache-Control"]
    assert as_bob.get(f"/c/{collection.pk}/file/{frame.preview}").headers["Content-Type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("ending", "kind", "how"),
    [("gif", "image/gif", "inline"), ("tif", "image/tiff", "attachment"), ("bmp", "image/bmp", "attachment")],
)
def test_a_file_as_it_came_is_a_picture_to_a_browser_and_nothing_else(
    as_bob: Client, collection: Collection, frame: Frame, ending: str, kind: str, how: str
) -> None:
    trap = b"GIF89a=1/*" + b"\0" * 20 + b"*/;alert(document.cookie)<script>alert(1)</script>"
    name = store().put(trap, ending)
    assert as_bob.get(f"/c/{collection.pk}/file/{name}").status_code == 404
    Frame.objects.filter(pk=frame.pk).update(original=name)
    answer = as_bob.get(f"/c/{collection.pk}/file/{name}")
    assert b"".join(answer.streaming_content) == trap
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Content-Disposition"].startswith(how)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    saved = as_bob.get(f"/c/{collection.pk}/file/{name}?save")
    assert saved.headers["Content-Disposition"].startswith("attachment")


def test_an_unchanged_picture_is_not_sent_again(as_bob: Client, collection: Collection, frame: Frame) -> None:
    url = f"/c/{collection.pk}/file/{frame.file}"
    etag = as_bob.get(url).headers["ETag"]
    again = as_bob.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert as_bob.get(url, headers={"If-None-Match": '"other"'}).status_code == 200


def test_crops_of_faces_are_files_of_the_collection_too(as_bob: Client, collection: Collection, frame: Frame) -> None:
    crop = store().put(png(shade=2), "png")
    assert as_bob.get(f"/c/{collection.pk}/file/{crop}").status_code == 404
    Face.objects.create(collection=collection, frame=frame, left=0, top=0, right=1, bottom=1, crop=crop)
    assert as_bob.get(f"/c/{collection.pk}/file/{crop}").status_code == 200


def test_a_file_of_another_collection_is_not_found(
    as_bob: Client, bob: User, as_charlie: Client, collection: Collection, frame: Frame
) -> None:
    other = Collection.objects.create(name="Other")
    Membership.objects.create(collection=other, user=bob, role=Role.ADMIN)
    assert as_bob.get(f"/c/{other.pk}/file/{frame.file}").status_code == 404
    assert as_charlie.get(f"/c/{collection.pk}/file/{frame.file}").status_code == 404
    assert Client().get(f"/c/{collection.pk}/file/{frame.file}").status_code == 302


@pytest.mark.parametrize(
    "name",
    [
        "../../secret_key",
        "..%2f..%2fsecret_key",
        "%2e%2e/%2e%2e/secret_key",
        "/etc/passwd",
        "temp/x.png",
        "ab/cd/x.png",
        "x",
        "%00.png",
    ],
)
def test_no_other_name_leads_anywhere(
    as_bob: Client, collection: Collection, frame: Frame, name: str, settings: Any
) -> None:
    (settings.KOMA_DATA_DIR / "secret_key").write_text("secret")
    answer = as_bob.get(f"/c/{collection.pk}/file/{name}")
    assert answer.status_code in (400, 404)
    assert b"secret" not in answer.content


def test_a_row_with_a_hostile_name_opens_nothing(
    as_bob: Client, collection: Collection, frame: Frame, settings: Any
) -> None:
    (settings.KOMA_DATA_DIR / "secret.png").write_text("secret")
    Frame.objects.update(file="../secret.png")
    assert as_bob.get(f"/c/{collection.pk}/file/../secret.png").status_code == 404
    html = hashlib.sha256(b"x").hexdigest()
    Frame.objects.update(file=f"{html[:2]}/{html[2:4]}/{html}.html")
    assert as_bob.get(f"/c/{collection.pk}/file/{Frame.objects.get().file}").status_code == 404


def test_a_picture_costs_four_queries_at_most(
    as_bob: Client, collection: Collection, frame: Frame, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(7):  # session, person, membership, then one a kind of file
        as_bob.get(f"/c/{collection.pk}/file/{frame.file}")
