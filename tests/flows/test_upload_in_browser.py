"""Uploading in a real browser: over lost connections, after a closed tab, with hostile names, by dropping files."""

from __future__ import annotations

import base64
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from ingest.actions import uploads
from ingest.models import Collection, Episode, Source, Upload
from ingest.restoring import source_path
from tests.films import film, png

pytestmark = pytest.mark.django_db(transaction=True)

CHUNK = 700  # bytes: a tiny film takes several chunks


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "CHUNK_BYTES", CHUNK)


def test_a_film_is_chosen_uploaded_and_its_number_corrected(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("input[type=file]", film(tmp_path / "[Group] Show S2 - 04 [1080p].mkv"))
    page.wait_for_selector("text=added as S2 EP04")
    row = page.locator(".added-one")
    assert row.locator("[name=series]").input_value() == "Show"
    row.locator("[name=number]").fill("05")
    row.locator("[name=series]").focus()
    page.wait_for_selector("text=S2 EP05 saved.")
    assert Episode.objects.get().number == "05"
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url(re.compile(r"/runs/start/"))
    page.wait_for_selector("text=of disk")


def test_it_goes_on_by_itself_after_a_lost_connection(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    lost = []

    def flaky(route: Any) -> None:
        if route.request.method == "PUT" and len(lost) < 2 and "offset=0" not in route.request.url:
            lost.append(route.request.url)
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/add/uploads/*/?offset=*", flaky)
    path = film(tmp_path / "Show - 07.mkv")
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("text=no connection")
    page.wait_for_selector("text=added as EP07", timeout=30_000)
    assert len(lost) == 2
    assert Episode.objects.get().source.sha256 == uploads.sources.file_sha256(path)


def test_after_a_closed_tab_the_same_file_goes_on_from_where_it_was(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    path = film(tmp_path / "Show - 08.mkv")
    page.route(
        "**/add/uploads/*/?offset=*",
        lambda route: route.continue_() if "offset=0" in route.request.url else route.abort(),
    )
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("text=no connection")
    page.unroute("**/add/uploads/*/?offset=*")
    page.once("dialog", lambda dialog: dialog.accept())
    page.reload()
    page.wait_for_selector("text=Choose the same file again")
    assert Upload.objects.get().received == CHUNK
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.set_input_files("input[type=file]", path)
    page.wait_for_selector("text=added as EP08")
    assert f"offset={CHUNK}" in sent[0]
    assert Episode.objects.get().source.sha256 == uploads.sources.file_sha256(path)


def test_a_stopped_upload_and_a_refused_file_say_so_and_the_next_file_comes_in(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    bad = tmp_path / "<img src=x onerror=alert(1)>.mp4"
    bad.write_text("no film at all")
    good = film(tmp_path / "Show - 09.mkv")
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("input[type=file]", [bad, good])
    page.wait_for_selector("text=added as EP09")
    assert "text file" in page.locator(".upload", has_text="onerror").inner_text()
    assert page.locator(".upload img").count() == 0
    assert page.locator(".upload").first.locator("[data-again]").is_visible()


def test_files_can_be_dropped_anywhere_on_the_page(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    data = base64.b64encode(film(tmp_path / "x.mkv").read_bytes()).decode()
    page.evaluate(
        """(data) => {
            const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], "Show - 10.mkv", { lastModified: 1 }));
            for (const kind of ["dragenter", "drop"]) {
                const event = new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
                document.body.dispatchEvent(event);
            }
        }""",
        data,
    )
    page.wait_for_selector("text=added as EP10")


def test_a_single_picture_is_taken_as_it_is_and_has_a_title(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    path = tmp_path / "miko.png"
    path.write_bytes(png())
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("[name=files]", path)
    page.wait_for_selector("text=added as miko")
    source = Source.objects.get()
    assert (source.name, source.sha256) == ("miko.png", uploads.sources.file_sha256(path))
    page.locator(".added-one [name=title]").fill("Shrine maiden")
    page.locator(".added-one [name=series]").focus()
    page.wait_for_selector("text=Shrine maiden saved.")
    page.reload()
    page.set_input_files("[name=files]", path)
    page.wait_for_selector("text=is already in this collection, as Shrine maiden")
    page.locator(".upload").get_by_role("button", name="Dismiss").click()
    assert page.locator(".upload").count() == 0


def test_pictures_chosen_together_are_one_group_known_when_it_comes_again(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    names = ["b.png", "a 絵.png", "b.txt"]
    for shade, name in enumerate(names):
        (tmp_path / name).write_bytes(png(shade=shade) if name.endswith("png") else b"smile, hat")
    (tmp_path / "notes.doc").write_bytes(b"x")
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("[name=files]", [tmp_path / name for name in [*names, "notes.doc"]])
    page.wait_for_selector("text=added as a 絵 and 1 more")
    assert "left out" in page.locator(".upload", has_text="notes.doc").inner_text()
    with zipfile.ZipFile(source_path(Source.objects.get())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a 絵.png", "b.png", "b.txt"]
        assert archive.read("b.png") == (tmp_path / "b.png").read_bytes()
    page.set_input_files("[name=files]", [tmp_path / name for name in reversed(names)])
    page.wait_for_selector("text=is already in this collection")


def test_a_chosen_folder_keeps_its_name_and_its_films_come_one_by_one(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    folder = tmp_path / "Fan art"
    (folder / "deep").mkdir(parents=True)
    (folder / "1.png").write_bytes(png(shade=1))
    (folder / "deep" / "2.png").write_bytes(png(shade=2))
    (folder / "Thumbs.db").write_bytes(b"x")
    film(folder / "Show - 11.mkv")
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("[webkitdirectory]", folder)
    page.wait_for_selector("text=added as EP11")
    page.wait_for_selector("text=added as Fan art")
    assert page.locator(".upload").count() == 2
    with zipfile.ZipFile(source_path(Source.objects.get(kind="pictures"))) as archive:
        assert archive.namelist() == ["1.png", "deep/2.png"]


def test_a_picture_can_be_pasted(page_as: Any, alice: User, collection: Collection) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.evaluate(
        """(data) => {
            const files = new DataTransfer();
            files.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "image.png"));
            const drop = document.querySelector("#upload [name=files]"); // has the focus after it was pressed
            drop.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true }));
        }""",
        base64.b64encode(png()).decode(),
    )
    page.wait_for_selector("text=added as pasted 2")


def test_a_paste_into_a_field_or_of_text_stays_what_it_was(page_as: Any, alice: User, collection: Collection) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    remaining = page.evaluate(
        """() => {
            const field = document.querySelector("#upload [name=series], input[type=text], input:not([type])");
            const paste = (where, text) => {
                const data = new DataTransfer();
                data.items.add(new File(["x"], "image.png"));
                if (text) data.setData("text/plain", text);
                const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
                return where.dispatchEvent(event);
            };
            return [paste(field, ""), paste(field, "words"), paste(document.body, "words")];
        }"""
    )
    assert remaining == [True, True, True]  # the browser's own paste was not stopped
    assert page.locator(".upload").count() == 0


def test_what_is_skipped_for_its_name_is_reported(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/add/")
    for name in (".DS_Store", ".x.mkv", "._x.mkv"):
        (tmp_path / name).write_bytes(b"x")
    page.set_input_files("[name=files]", [tmp_path / ".DS_Store", tmp_path / "._x.mkv"])
    page.wait_for_selector("text=No films, pictures or zips found")
    assert page.locator(".upload").count() == 0
    page.set_input_files("[name=files]", [tmp_path / ".DS_Store", tmp_path / ".x.mkv"])
    assert "left out: hidden" in page.locator(".upload", has_text=".x.mkv").inner_text()


def test_chosen_pictures_are_packed_into_zips_below_the_servers_limit(
    page_as: Any, alice: User, collection: Collection, tmp_path: Path, settings: Any
) -> None:
    settings.KOMA_UPLOAD_MAX_BYTES = 2500
    for shade in range(8):
        (tmp_path / f"{shade}.png").write_bytes(png(shade=shade, size=(8, 8)).ljust(700, b"\0"))
    page = page_as(alice, f"/c/{collection.pk}/add/")
    page.set_input_files("[name=files]", sorted(tmp_path.iterdir()))
    page.wait_for_selector("text=(4 of 4).zip")
    page.locator(".upload .good").nth(3).wait_for()
    assert all(source_path(item).stat().st_size <= 2500 for item in Source.objects.all())
    assert Source.objects.count() == 4


def test_an_invitation_link_leads_into_the_collection(
    page_as: Any, alice: User, collection: Collection, live_server: Any
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/members/")
    page.click("text=Create a link")
    link = page.locator("[data-link]").input_value()
    page.context.clear_cookies()
    page.goto(link)
    page.wait_for_selector("text=invites you as reviewer")
    page.fill("[name=name]", "dora")
    page.fill("[name=password]", "a long pass phrase 7")
    page.click("text=Create an account and join")
    page.wait_for_url(f"{live_server.url}/c/{collection.pk}/")
    assert User.objects.get(username="dora").memberships.get().collection == collection


def test_who_has_an_account_logs_in_from_an_invitation_and_joins(
    page_as: Any, alice: User, collection: Collection, live_server: Any
) -> None:
    User.objects.create_user("dora", password="a long pass phrase 7")
    page = page_as(alice, f"/c/{collection.pk}/members/")
    page.click("text=Create a link")
    link = page.locator("[data-link]").input_value()
    page.context.clear_cookies()
    page.goto(link)
    page.click("text=Log in and join")
    page.get_by_label("Name").fill("dora")
    page.get_by_label("Password").fill("a long pass phrase 7")
    page.click("button:has-text('Log in')")
    page.wait_for_selector("text=You are logged in as dora")
    page.click("button:has-text('Join')")
    page.wait_for_url(f"{live_server.url}/c/{collection.pk}/")
    assert User.objects.get(username="dora").memberships.get().collection == collection
    page.goto(f"{live_server.url}/join/")  # it was kept for this one time
    page.wait_for_selector("text=This link is incomplete")
    page.locator(".login").get_by_role("link").wait_for()  # the way on
