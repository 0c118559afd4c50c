"""Uploads over broken connections, full disks and hostile names."""

from __future__ import annotations

import resource
import socket
import zipfile
import zlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from ingest.actions import runs, uploads
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import free_bytes
from ingest.models import Collection, Episode, Frame, Membership, Operation, Role, Source, Upload
from ingest.pipeline import registry
from ingest.restoring import source_path
from tests.conftest import client_of
from tests.films import film, png, zipped
from tests.pages import html_of


@pytest.fixture()
def lead(collection: Collection, bob: User) -> Client:
    Membership.objects.filter(collection=collection, user=bob).update(role=Role.LEAD)
    return client_of(bob)


Begin = Callable[..., Any]


@pytest.fixture()
def begin(lead: Client, collection: Collection) -> Begin:
    def ask(path: Path, **more: Any) -> Any:
        data = {"name": path.name, "size": path.stat().st_size, "key": f"k-{path.name}"[:60], **more}
        return lead.post(f"/c/{collection.pk}/add/uploads/", data)

    return ask


def put(client: Client, url: str, offset: int, data: bytes) -> Any:
    return client.put(f"{url}?offset={offset}", data, content_type="application/octet-stream")


def test_a_film_sent_in_chunks_becomes_an_episode(
    lead: Client, collection: Collection, begin: Begin, tmp_path: Path, settings: Any
) -> None:
    path = film(tmp_path / "[Group] Tiny Show S2 - 04 [1080p].mkv")
    data = path.read_bytes()
    begun = begin(path, licence_note="own work").json()
    assert begun["received"] == 0
    half = len(data) // 2
    assert put(lead, begun["url"], 0, data[:half]).json() == {"received": half}
    assert put(lead, begun["url"], half, data[half:]).json() == {"received": len(data)}
    assert not Episode.objects.exists()
    assert lead.post(begun["url"]).json()["label"] == "S2 EP04"
    episode = Episode.objects.get()
    assert (episode.series, episode.season, episode.number) == ("Tiny Show", 2, "04")
    assert episode.duration_s == pytest.approx(1.0, abs=0.1)
    assert episode.source.licence_note == "own work"
    stored = settings.KOMA_DATA_DIR / episode.source.path
    assert stored.read_bytes() == data
    assert list((settings.KOMA_DATA_DIR / "uploads").iterdir()) == []
    assert lead.post(begun["url"]).json()["episode"] == episode.pk  # asked twice, done once


def test_after_a_broken_connection_it_goes_on_where_it_stopped(
    lead: Client, collection: Collection, begin: Begin, tmp_path: Path
) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    data = path.read_bytes()
    url = begin(path).json()["url"]
    put(lead, url, 0, data[:1000])
    again = begin(path).json()
    assert (again["url"], again["received"]) == (url, 1000)
    assert lead.get(url).json()["received"] == 1000
    gap = put(lead, url, 2000, data[2000:3000])
    assert (gap.status_code, gap.json()["received"]) == (409, 1000)
    assert put(lead, url, 0, data[:1000]).json() == {"received": 1000}  # the answer was lost, the chunk comes again
    assert put(lead, url, 500, data[500:1500]).json() == {"received": 1500}  # it overlaps
    unfinished = lead.post(url)
    assert (unfinished.status_code, unfinished.json()["received"]) == (409, 1500)
    assert put(lead, url, 1500, data[1500:]).json() == {"received": len(data)}
    lead.post(url)
    source = Source.objects.get()
    assert source.sha256 == uploads.sources.file_sha256(path)


@pytest.mark.django_db(transaction=True)
def test_a_chunk_cut_off_on_its_way_is_not_used(
    live_server: Any, lead: Client, begin: Begin, tmp_path: Path, settings: Any
) -> None:
    """Over a real socket that closes in the middle of the body."""
    path = film(tmp_path / "Show - 01.mkv")
    url = begin(path).json()["url"]
    host, port = live_server.thread.host, live_server.thread.port
    session = lead.cookies[settings.SESSION_COOKIE_NAME].value
    token = "a" * 32
    head = (
        f"PUT {url}?offset=0 HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 1000\r\nX-CSRFToken: {token}\r\n"
        f"Cookie: {settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={token}\r\n"
        "Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((host, port), timeout=20) as line:
        line.sendall(head.encode() + path.read_bytes()[:700])
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read()
    assert answer.split(b" ")[1] == b"409", answer[:300]
    assert Upload.objects.get().received == 0
    assert begin(path).json()["received"] == 0


def test_bytes_that_were_lost_from_the_disk_are_asked_for_again(lead: Client, begin: Begin, tmp_path: Path) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    url = begin(path).json()["url"]
    put(lead, url, 0, path.read_bytes()[:2000])
    part = uploads.part_path(Upload.objects.get())
    part.write_bytes(part.read_bytes()[:300])
    assert begin(path).json()["received"] == 300


def test_more_bytes_than_announced_and_wrong_offsets_are_refused(lead: Client, begin: Begin, tmp_path: Path) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    url = begin(path).json()["url"]
    size = path.stat().st_size
    assert put(lead, url, 0, b"x" * (size + 1)).status_code == 413
    for offset in ("-1", "x", "", "1e9"):
        answer = lead.put(f"{url}?offset={offset}", b"x", content_type="application/octet-stream")
        assert answer.status_code in (409, 422), offset
    assert put(lead, url, 0, b"x" * (uploads.CHUNK_BYTES + 1)).status_code == 413


def test_the_limit_of_size_and_the_disk_are_checked_before_a_byte_is_sent(
    begin: Begin, tmp_path: Path, settings: Any
) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    settings.KOMA_UPLOAD_MAX_BYTES = 100
    big = begin(path)
    assert big.status_code == 413
    assert "KOMA_UPLOAD_MAX_BYTES" in big.json()["error"]
    settings.KOMA_UPLOAD_MAX_BYTES = 2**40
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    full = begin(path)
    assert full.status_code == 507
    assert "Not enough space" in full.json()["error"]
    assert not Upload.objects.exists()


def test_what_other_uploads_will_need_counts_as_taken(
    begin: Begin, lead: Client, collection: Collection, tmp_path: Path, settings: Any
) -> None:
    room = free_bytes(settings.KOMA_DATA_DIR)
    settings.KOMA_UPLOAD_MAX_BYTES = 2**60
    ask = {"name": "a.mkv", "size": room * 2 // 3, "key": "one"}
    assert lead.post(f"/c/{collection.pk}/add/uploads/", ask).status_code == 200
    assert lead.post(f"/c/{collection.pk}/add/uploads/", ask | {"key": "two", "name": "b.mkv"}).status_code == 507


def announce(client: Client, collection: Collection, key: str, size: int) -> Any:
    ask = {"name": f"{key}.mkv", "size": size, "key": key}
    return client.post(f"/c/{collection.pk}/add/uploads/", ask)


def silent(key: str, minutes: float = 6) -> None:
    Upload.objects.filter(key=key).update(updated_at=timezone.now() - timedelta(minutes=minutes))


def test_room_is_kept_only_for_what_is_being_sent(
    lead: Client, collection: Collection, as_alice: Client, settings: Any
) -> None:
    room = free_bytes(settings.KOMA_DATA_DIR)
    settings.KOMA_UPLOAD_MAX_BYTES = settings.KOMA_UPLOAD_RESERVED_BYTES = 2**60
    assert announce(lead, collection, "one", room * 2 // 3).status_code == 200
    refused = announce(as_alice, collection, "two", room * 2 // 3)
    assert refused.status_code == 507
    assert "bob is uploading" in refused.json()["error"] and "to Tiny show" in refused.json()["error"]
    silent("one", minutes=4)
    assert announce(as_alice, collection, "two", room * 2 // 3).status_code == 507
    silent("one")  # a closed tab
    assert announce(as_alice, collection, "two", room * 2 // 3).status_code == 200
    # Bob's tab is back: what is here stays, and who has the room is said.
    first = Upload.objects.get(key="one")
    late = put(lead, f"/c/{collection.pk}/add/uploads/{first.pk}/", 0, b"x" * 10)
    assert late.status_code == 507 and "alice is uploading" in late.json()["error"]
    assert announce(lead, collection, "one", room * 2 // 3).status_code == 507
    silent("two")
    assert put(lead, f"/c/{collection.pk}/add/uploads/{first.pk}/", 0, b"x" * 10).json() == {"received": 10}
    Upload.objects.get(key="two")
    assert announce(as_alice, collection, "two", room * 2 // 3).status_code == 507


def test_who_is_in_the_way_is_told_to_who_may_know_it_and_the_disk_to_nobody(
    lead: Client, collection: Collection, as_alice: Client, charlie: User, as_charlie: Client, settings: Any
) -> None:
    room = free_bytes(settings.KOMA_DATA_DIR)
    settings.KOMA_UPLOAD_MAX_BYTES = settings.KOMA_UPLOAD_RESERVED_BYTES = 2**60
    announce(lead, collection, "one", room * 2 // 3)
    other = Collection.objects.create(name="Other show")
    Membership.objects.create(collection=other, user=charlie, role=Role.ADMIN)
    stranger = announce(as_charlie, other, "two", room * 2 // 3)
    assert stranger.status_code == 507
    error = stranger.json()["error"]
    assert "other uploads need" in error and "bob" not in error and "Tiny" not in error
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    full = announce(as_charlie, other, "two", 1000)
    for text in (error, full.json()["error"]):
        assert str(settings.KOMA_DATA_DIR) not in text


def test_one_person_reserves_only_so_much(lead: Client, collection: Collection, settings: Any) -> None:
    settings.KOMA_UPLOAD_RESERVED_BYTES = 1_000_000
    assert announce(lead, collection, "one", 2_000_000).status_code == 200  # a single large film is fine
    second = announce(lead, collection, "two", 1000)
    assert second.status_code == 507 and "your other uploads still need 2.0 MB" in second.json()["error"]
    silent("one")
    assert announce(lead, collection, "two", 1000).status_code == 200


def test_announcements_alone_never_fill_the_disk(
    lead: Client, collection: Collection, as_alice: Client, settings: Any
) -> None:
    """Whoever announces again and again without sending a byte gets his share, and the others theirs."""
    settings.KOMA_UPLOAD_MAX_BYTES = 2**60
    settings.KOMA_UPLOAD_RESERVED_BYTES = room = free_bytes(settings.KOMA_DATA_DIR) // 4
    answers = [announce(lead, collection, f"k{n}", room // 2).status_code for n in range(10)]
    assert answers == [200, 200] + [507] * 8
    assert announce(as_alice, collection, "mine", room).status_code == 200


def test_a_disk_that_fills_up_in_the_middle_keeps_what_was_there(
    lead: Client, begin: Begin, tmp_path: Path, settings: Any
) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    data = path.read_bytes()
    url = begin(path).json()["url"]
    put(lead, url, 0, data[:1000])
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    full = put(lead, url, 1000, data[1000:])
    assert full.status_code == 507
    assert "Free some space" in full.json()["error"]
    settings.KOMA_DISK_RESERVE_BYTES = 0
    assert put(lead, url, 1000, data[1000:]).json() == {"received": len(data)}
    assert lead.post(url).status_code == 200


def test_a_write_that_the_system_cuts_short_is_reported_and_what_was_there_stays(
    lead: Client, begin: Begin, tmp_path: Path
) -> None:
    """The limit on file sizes cuts a write in its middle, just as a full disk does."""
    path = film(tmp_path / "Show - 01.mkv", seconds=4)
    data = path.read_bytes()
    assert len(data) > 3000
    url = begin(path).json()["url"]
    put(lead, url, 0, data[:1000])
    upload = Upload.objects.get()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(uploads.NoRoom, match=r"Show - 01\.mkv.*disk is full"):
            uploads.take_chunk(upload=upload, offset=1000, data=data[1000:])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert Upload.objects.get().received == 1000
    assert put(lead, url, 1000, data[1000:]).json() == {"received": len(data)}
    assert lead.post(url).status_code == 200


def test_the_same_file_twice_is_recognised_and_named(
    lead: Client, collection: Collection, begin: Begin, tmp_path: Path, settings: Any
) -> None:
    path = film(tmp_path / "Show - 07.mkv")
    for name in ("Show - 07.mkv", "another name.mkv"):
        other = tmp_path / name
        other.write_bytes(path.read_bytes())
        url = begin(other).json()["url"]
        put(lead, url, 0, other.read_bytes())
        answer = lead.post(url)
    assert answer.status_code == 409
    assert "EP07" in answer.json()["error"]
    assert "Show - 07.mkv" in answer.json()["error"]
    assert Episode.objects.count() == 1
    assert list((settings.KOMA_DATA_DIR / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("fake.mp4", b"just text\n" * 50, "text file"),
        ("list.mp4", b"#EXTM3U\nhttp://127.0.0.1/x.ts\n", "playlist"),
        ("concat.mp4", b"ffconcat version 1.0\nfile /etc/passwd\n", "not supported"),
        ("broken.zip", b"PK\x03\x04" + b"\0" * 300, "zip"),
        ("cut.mkv", b"\x1a\x45\xdf\xa3" + b"\0" * 300, "cut.mkv"),
        ("page.png", b"<!doctype html><script>alert(1)</script>", "web page"),
        ("noise.jpg", b"no picture at all" * 20, "format"),
        ("film.webp", b"\x1a\x45\xdf\xa3" + b"\0" * 300, "video"),
    ],
)
def test_what_cannot_be_read_says_why_and_leaves_nothing(
    lead: Client, begin: Begin, tmp_path: Path, settings: Any, name: str, data: bytes, word: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    url = begin(path).json()["url"]
    put(lead, url, 0, data)
    answer = lead.post(url)
    assert answer.status_code == 422
    assert word in answer.json()["error"]
    assert name in answer.json()["error"]
    assert str(settings.KOMA_DATA_DIR) not in answer.json()["error"]
    assert not Source.objects.exists()
    assert not Upload.objects.exists()
    assert [p for p in settings.KOMA_DATA_DIR.rglob("*") if p.is_file()] == []


def test_empty_files_and_files_of_other_kinds_are_refused_at_once(lead: Client, collection: Collection) -> None:
    for name, size, word in (
        ("a.mkv", 0, "empty"),
        ("a.exe", 5, "films"),
        ("a.svg", 5, "pictures"),
        ("a.html", 5, "films"),
    ):
        answer = lead.post(f"/c/{collection.pk}/add/uploads/", {"name": name, "size": size, "key": "k"})
        assert answer.status_code == 422
        assert word in answer.json()["error"]


@pytest.mark.parametrize(
    "name",
    ["../../etc/evil.mkv", "/abs/evil.mkv", "..\\evil.mkv", "a\x07b\nc\u202ev.mkv", ".hidden.mkv", "x" * 3000 + ".mkv"],
)
def test_hostile_names_stay_inside_the_data_folder(
    lead: Client, collection: Collection, tmp_path: Path, settings: Any, name: str
) -> None:
    data = film(tmp_path / "a.mkv").read_bytes()
    begun = lead.post(f"/c/{collection.pk}/add/uploads/", {"name": name, "size": len(data), "key": "k"}).json()
    put(lead, begun["url"], 0, data)
    part = uploads.part_path(Upload.objects.get())
    assert part.resolve().is_relative_to((settings.KOMA_DATA_DIR / "uploads").resolve())
    assert part.read_bytes() == data
    assert lead.post(begun["url"]).status_code == 200
    source = Source.objects.get()
    assert "/" not in source.name
    assert "\u202e" not in source.name
    assert (settings.KOMA_DATA_DIR / source.path).resolve().is_relative_to(settings.KOMA_DATA_DIR.resolve())


def test_a_zip_of_pictures_is_an_episode_of_fan_art(lead: Client, begin: Begin, tmp_path: Path) -> None:
    path = zipped(tmp_path / "fanart.zip", {"a.png": png(), "b/c.jpg": png(shade=1)})
    url = begin(path, series="Show", exportable_unset="").json()["url"]
    put(lead, url, 0, path.read_bytes())
    assert lead.post(url).json()["label"] == "fanart"
    source = Source.objects.get()
    assert (source.kind, source.image_type, source.episode.series) == ("pictures", "fanart", "Show")


def test_a_single_picture_is_an_episode_with_one_frame(
    lead: Client, begin: Begin, tmp_path: Path, settings: Any, collection: Collection, bob: User
) -> None:
    path = tmp_path / "miko <b>at the shrine.jpg"
    path.write_bytes(png(shade=3))  # the content decides, not the ending
    url = begin(path).json()["url"]
    put(lead, url, 0, path.read_bytes())
    assert lead.post(url).json()["label"] == "miko <b>at the shrine"
    source = Source.objects.get()
    assert (source.kind, source.image_type, source.uploaded) == ("pictures", "fanart", True)
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures"]
    registry.stages.cache_clear()
    try:
        runs.run_here(runs.start(collection=collection, episodes=[source.episode], by=bob))
    finally:
        registry.stages.cache_clear()
    frame = Frame.objects.get()
    assert (frame.name, frame.width, frame.height, frame.index) == (source.name, 48, 32, 0)
    url = begin(path, key="again").json()["url"]
    put(lead, url, 0, path.read_bytes())
    assert lead.post(url).status_code == 409


def test_a_picture_of_too_many_pixels_is_refused_by_its_head(lead: Client, begin: Begin, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    data = bytearray(png())
    data[16:24] = (40_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    url = begin(path).json()["url"]
    put(lead, url, 0, bytes(data))
    answer = lead.post(url)
    assert answer.status_code == 422
    assert "too large" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_several_pictures_without_script_are_one_group_and_a_name_that_comes_twice_gets_a_number(
    lead: Client, collection: Collection, tmp_path: Path
) -> None:
    for folder, shade in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(png(shade=shade))
    for _ in range(2):
        with (tmp_path / "a/1.png").open("rb") as first, (tmp_path / "b/1.png").open("rb") as second:
            answer = lead.post(f"/c/{collection.pk}/add/", {"files": [first, second]}, follow=True)
    assert "is already in this collection" in html_of(answer)
    source = Source.objects.get()
    assert source.name == "1 and 1 more.zip"
    with zipfile.ZipFile(source_path(source)) as archive:
        assert archive.namelist() == ["1.png", "1 (2).png"]


def test_pictures_for_which_the_disk_is_too_full_are_reported_and_the_film_beside_them_is_added(
    lead: Client, collection: Collection, tmp_path: Path
) -> None:
    """The limit on file sizes stands for a disk that fills up while the pictures are packed."""
    path = film(tmp_path / "Show - 03.mkv")
    limit = 3 * 2**20
    assert path.stat().st_size < limit
    pictures = [SimpleUploadedFile(f"{number}.png", bytes(2 * 2**20)) for number in (1, 2)]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with path.open("rb") as file:
            answer = lead.post(f"/c/{collection.pk}/add/", {"files": [*pictures, file]}, follow=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    text = html_of(answer)
    assert "1.png and 1 more: The server&#x27;s disk is full" in text
    assert "1 added: EP03" in text


def test_pictures_are_packed_only_where_the_zip_and_its_upload_fit(settings: Any) -> None:
    pictures = [SimpleUploadedFile(f"{number}.png", b"x") for number in (1, 2)]
    for picture in pictures:
        picture.size = free_bytes(settings.KOMA_DATA_DIR) // 3  # both once fit, both twice do not
    files, problems = uploads.grouped(pictures)
    assert files == []
    assert len(problems) == 1 and "disk is full" in problems[0]


def test_tag_files_go_with_their_pictures_also_of_a_single_one(settings: Any) -> None:
    names = ["1.png", "1.txt", ".1_meta.json", "2.png", "film.mkv"]
    files = [SimpleUploadedFile(name, b"x") for name in names]
    film, packed = uploads.grouped(files)[0]
    assert (film.name, packed.name) == ("film.mkv", "1 and 1 more.zip")
    assert sorted(zipfile.ZipFile(packed).namelist()) == ["1.png", "1.txt", "1_meta.json", "2.png"]
    (packed,) = uploads.grouped([SimpleUploadedFile(name, b"x") for name in names[:2]])[0]
    assert packed.name == "1.zip"
    assert sorted(zipfile.ZipFile(packed).namelist()) == ["1.png", "1.txt"]
    lone = [SimpleUploadedFile("1.txt", b"x")]
    assert uploads.grouped(lone) == (lone, [])


def test_nobody_touches_the_upload_of_another(
    lead: Client, as_alice: Client, as_charlie: Client, begin: Begin, tmp_path: Path
) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    url = begin(path).json()["url"]
    for client in (as_alice, as_charlie):  # an admin of the same collection is no exception: the bytes are bob's
        assert client.get(url).status_code == 404
        assert put(client, url, 0, b"x").status_code == 404
        assert client.post(url).status_code == 404
        assert client.delete(url).status_code == 404


def test_an_upload_can_be_discarded_and_old_ones_are_swept(lead: Client, begin: Begin, tmp_path: Path) -> None:
    path = film(tmp_path / "Show - 01.mkv")
    url = begin(path).json()["url"]
    put(lead, url, 0, b"x" * 10)
    part = uploads.part_path(Upload.objects.get())
    assert lead.delete(url).status_code == 204
    assert not part.exists()
    begin(path)
    assert uploads.sweep() == 0
    assert uploads.sweep(age_days=-1) == 1
    assert not Upload.objects.exists()


def test_browsers_without_script_send_whole_files(lead: Client, collection: Collection, tmp_path: Path) -> None:
    good, bad = film(tmp_path / "Show - 03.mkv"), tmp_path / "bad.mp4"
    bad.write_bytes(b"text")
    with good.open("rb") as first, bad.open("rb") as second:
        answer = lead.post(f"/c/{collection.pk}/add/", {"files": [first, second]}, follow=True)
    text = html_of(answer)
    assert "1 added: EP03" in text
    assert "bad.mp4" in text
    assert Episode.objects.get().number == "03"


def test_adding_is_in_the_history_and_is_not_undone_by_a_key(
    lead: Client, collection: Collection, begin: Begin, tmp_path: Path
) -> None:
    path = film(tmp_path / "Show - 03.mkv")
    url = begin(path).json()["url"]
    put(lead, url, 0, path.read_bytes())
    lead.post(url)
    assert Operation.objects.get().summary == "EP03 added from Show - 03.mkv"
    lead.post(f"/c/{collection.pk}/undo/")
    assert Episode.objects.count() == 1


def test_a_plain_form_brings_hundreds_of_pictures_and_says_why_it_takes_no_more(
    lead: Client, collection: Collection, settings: Any
) -> None:
    pixels = [np.full((12, 16, 3), (n, n // 2, 255 - n), np.uint8) for n in range(150)]
    files = [
        SimpleUploadedFile(f"{n:03d}.png", encode(picture, PictureFormat("png"))) for n, picture in enumerate(pixels)
    ]
    answer = lead.post(f"/c/{collection.pk}/add/", {"files": files}, follow=True)
    assert "1 added" in html_of(answer)
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 100
    for file in files:
        file.seek(0)
    answer = lead.post(f"/c/{collection.pk}/add/", {"files": files})
    assert answer.status_code == 400
    assert "at most 100 files" in html_of(answer)
    assert "zip" in html_of(answer)
    assert collection.episodes.count() == 1
