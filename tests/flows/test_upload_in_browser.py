"""Uploading in a real browser: over lost connections, after a closed tab, with hostile names, by dropping files."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from ingest.actions import uploads
from ingest.models import Collection, Episode, Upload
from tests.films import film

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


def test_an_invitation_link_leads_into_the_collection(
    page_as: Any, alice: User, collection: Collection, live_server: Any
) -> None:
    page = page_as(alice, f"/c/{collection.pk}/members/")
    page.click("text=Make a link")
    link = page.locator("[data-link]").input_value()
    page.context.clear_cookies()
    page.goto(link)
    page.wait_for_selector("text=invites you as reviewer")
    page.fill("[name=name]", "dora")
    page.fill("[name=password]", "a long pass phrase 7")
    page.click("text=Make an account and join")
    page.wait_for_url(f"{live_server.url}/c/{collection.pk}/")
    assert User.objects.get(username="dora").memberships.get().collection == collection
