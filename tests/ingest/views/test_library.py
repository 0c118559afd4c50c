"""The library is read in place and never left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from ingest.actions import runs, sources
from ingest.models import Collection, Episode
from tests.films import film, png
from tests.pages import html_of


@pytest.fixture()
def library(tmp_path: Path, settings: Any) -> Path:
    root = tmp_path / "library"
    (root / "Show S2").mkdir(parents=True)
    (root / "art" / "more").mkdir(parents=True)
    film(root / "Show S2" / "04.mkv")
    film(root / "Show S2" / "05.mkv", shade=50)
    (root / "art" / "1.png").write_bytes(png())
    (root / "art" / "more" / "2.png").write_bytes(png(shade=2))
    (root / "notes <b>.doc").write_text("x")
    (root / ".secret.mkv").write_text("x")
    outside = tmp_path / "outside"
    outside.mkdir()
    film(outside / "private.mkv")
    (root / "way out").symlink_to(outside)
    (root / "out.mkv").symlink_to(outside / "private.mkv")
    (root / "inside.mkv").symlink_to(root / "Show S2" / "04.mkv")
    settings.KOMA_LIBRARY_DIRS = [root]
    return root


def files_of(root: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.lstat().st_mtime_ns, p.lstat().st_size) for p in root.rglob("*")}


def test_a_folder_shows_what_can_be_added_and_why_not(as_alice: Client, collection: Collection, library: Path) -> None:
    text = html_of(as_alice.get(f"/c/{collection.pk}/add/library/"))
    assert "Show S2" in text
    assert "notes &lt;b&gt;.doc" in text
    assert ".secret" not in text
    assert "a link out of the library" in text
    inner = html_of(as_alice.get(f"/c/{collection.pk}/add/library/", {"root": 0, "path": "Show S2"}))
    assert "04.mkv" in inner
    assert "05.mkv" in inner


def test_films_are_added_where_they_lie_and_nothing_is_written(
    as_alice: Client, collection: Collection, library: Path
) -> None:
    before = files_of(library)
    as_alice.post(f"/c/{collection.pk}/add/library/", {"root": 0, "entry": ["Show S2/04.mkv", "Show S2/05.mkv"]})
    episodes = list(Episode.objects.select_related("source").order_by("number"))
    assert [(e.series, e.season, e.number) for e in episodes] == [("Show", 2, "04"), ("Show", 2, "05")]
    page = html_of(as_alice.get(f"/c/{collection.pk}/add/library/", {"path": "Show S2"}))
    assert page.count("✓ added") == 2
    assert episodes[0].source.path == str(library / "Show S2" / "04.mkv")
    assert not episodes[0].source.uploaded
    sources.delete(episode=episodes[0], by=None)
    assert files_of(library) == before


def test_all_pictures_of_a_folder_are_one_group(as_alice: Client, collection: Collection, library: Path) -> None:
    as_alice.post(f"/c/{collection.pk}/add/library/", {"root": 0, "entry": "art", "image_type": "regularization"})
    episode = Episode.objects.get()
    assert (episode.kind, episode.source.image_type, episode.title) == ("pictures", "regularization", "art")


def test_a_single_picture_of_a_folder_is_added_and_read_where_it_lies(
    as_alice: Client, collection: Collection, library: Path
) -> None:
    address = f"/c/{collection.pk}/add/library/"
    page = html_of(as_alice.get(address, {"path": "art"}))
    assert 'value="art/1.png"' in page
    as_alice.post(address, {"root": 0, "entry": "art/1.png"})
    episode = Episode.objects.select_related("source").get()
    assert (episode.kind, episode.title, episode.source.uploaded) == ("pictures", "1", False)
    runs.run_here(runs.start(collection=collection, episodes=[episode], by=None, stage_names=["read_pictures"]))
    assert [(row.name, row.state) for row in episode.frames.all()] == [("1.png", "kept")]
    assert "✓ added" in html_of(as_alice.get(address, {"path": "art"}))


@pytest.mark.parametrize(
    "entry",
    ["../outside/private.mkv", "/etc/passwd", "way out/private.mkv", "out.mkv", ".secret.mkv",
     "Show S2/../../outside/private.mkv", "..", "Show S2\\..\\..\\outside", "gone.mkv"],
)  # fmt: skip
def test_nothing_outside_the_library_can_be_added_or_looked_at(
    as_alice: Client, collection: Collection, library: Path, entry: str
) -> None:
    url = f"/c/{collection.pk}/add/library/"
    answer = as_alice.post(url, {"root": 0, "entry": entry}, follow=True)
    assert "not in the library" in html_of(answer)
    assert not Episode.objects.exists()
    answer = as_alice.get(url, {"root": 0, "path": entry})
    assert answer.status_code == 404
    assert "private.mkv</span>" not in html_of(answer)


def test_other_roots_and_a_missing_setting_are_reported(
    as_alice: Client, collection: Collection, library: Path, settings: Any
) -> None:
    url = f"/c/{collection.pk}/add/library/"
    for root in ("7", "-1", "x", "٣"):
        assert as_alice.get(url, {"root": root}).status_code in (200, 404)
    settings.KOMA_LIBRARY_DIRS = []
    assert "KOMA_LIBRARY_DIRS" in html_of(as_alice.get(url))


def test_the_same_film_twice_names_its_episode(as_alice: Client, collection: Collection, library: Path) -> None:
    url = f"/c/{collection.pk}/add/library/"
    as_alice.post(url, {"root": 0, "entry": "Show S2/04.mkv"})
    answer = as_alice.post(url, {"root": 0, "entry": "inside.mkv"}, follow=True)
    assert "S2 EP04" in html_of(answer)
    assert Episode.objects.count() == 1


def test_an_episode_is_changed_and_that_is_undone(
    as_alice: Client, alice: User, collection: Collection, library: Path
) -> None:
    as_alice.post(f"/c/{collection.pk}/add/library/", {"root": 0, "entry": "Show S2/04.mkv"})
    episode = Episode.objects.get()
    url = f"/c/{collection.pk}/add/episodes/{episode.pk}/"
    as_alice.post(
        url, {"season": "", "number": "OVA", "series": "<i>New</i>", "exportable.shown": "1", "licence_note": "mine"}
    )
    episode = Episode.objects.select_related("source").get()
    assert (episode.season, episode.number, episode.series) == (None, "OVA", "<i>New</i>")
    assert (episode.source.exportable, episode.source.licence_note) == (False, "mine")
    page = html_of(as_alice.get(f"/c/{collection.pk}/add/"))
    assert "&lt;i&gt;New&lt;/i&gt;" in page
    as_alice.post(f"/c/{collection.pk}/undo/")
    episode = Episode.objects.select_related("source").get()
    assert (episode.season, episode.number, episode.source.exportable) == (2, "04", True)
    for bad in ({"season": "x"}, {"season": "-1"}, {"number": "n" * 21}, {"image_type": "root"}, {"title": ""}):
        answer = as_alice.post(url, bad, headers={"HX-Request": "true"})
        assert answer.status_code == 422, bad
    assert Episode.objects.get().season == 2
