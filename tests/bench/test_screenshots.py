"""The pictures of all pages: of a real site in a real browser."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from PIL import Image

from bench import screenshots
from ingest.models import Collection
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture()
def arguments(live_server: Any, alice: User, collection: Collection, tmp_path: Path) -> list[str]:
    """The command line for a site with one collection."""
    User.objects.filter(pk=alice.pk).update(is_superuser=True, is_staff=True)
    return ["--url", live_server.url, "--user", "alice", "--password", PASSWORD, "--out", str(tmp_path)]


def test_a_page_is_shown_in_each_collection_width_and_scheme(
    arguments: list[str], chromium: Any, tmp_path: Path
) -> None:
    options = screenshots.parse([*arguments, "--collections", "full", "empty", "site", "--pages", "episodes", "login"])
    shots, _ = screenshots.take(options, chromium)
    names = {f"{shot.collection}-{shot.page}-{shot.width}-{shot.scheme}.png" for shot in shots}
    assert names == {
        f"{page}-{width}-{scheme}.png"
        for page in ("full-episodes", "empty-episodes", "site-login")
        for width in (1440, 390)
        for scheme in ("light", "dark")
    }
    assert names == {path.name for path in tmp_path.iterdir()}
    assert not any(shot.is_bad for shot in shots), screenshots.text_of(shots, {})
    assert all(shot.weight > 10_000 and shot.height >= 844 for shot in shots)
    light, dark = (
        Image.open(tmp_path / f"full-episodes-390-{scheme}.png").convert("L") for scheme in ("light", "dark")
    )
    assert light.width == dark.width == 390
    assert light.getpixel((200, 600)) > 200 > 60 > dark.getpixel((200, 600))
    # The small collection needs a worker; the empty one was created once.
    assert Collection.objects.filter(name=screenshots.NAMES["empty"]).count() == 1
    page = chromium.new_page()
    state = screenshots.log_in(chromium, options.url, "alice", PASSWORD)
    page.context.add_cookies(state["cookies"])
    screenshots.open_collection(page, options.url, screenshots.NAMES["empty"])
    assert Collection.objects.filter(name=screenshots.NAMES["empty"]).count() == 1


def test_every_name_of_urls_is_a_page_or_is_listed_with_the_reason(arguments: list[str], chromium: Any) -> None:
    options = screenshots.parse([*arguments, "--collections", "full", "site"])
    state = screenshots.log_in(chromium, options.url, "alice", PASSWORD)
    site = screenshots.Site(options.url, chromium.new_context(storage_state=state), chromium.new_context())
    inside, outside = site.found(Collection.objects.get().pk), site.found(None)
    pages = {page.name for page in (*inside.pages, *outside.pages)}
    skipped = inside.skipped | outside.skipped
    assert pages & set(skipped) == set()
    assert pages | set(skipped) == {*screenshots.patterns(), "404"}
    assert {"overview", "members", "run_start", "models", "site_people", "login", "join", "404"} <= pages
    assert skipped["logout"] == "takes no GET"
    assert skipped["work"] == "part of a page"
    assert skipped["frame"] == "no page links to one"
    assert skipped["tag_names"] == "status 200, application/json"


def test_a_page_that_fails_is_in_the_table_and_in_words(arguments: list[str], chromium: Any, tmp_path: Path) -> None:
    options = screenshots.parse(arguments)
    context = chromium.new_context()
    site = screenshots.Site(options.url, context, context)
    page = screenshots.Page("missing", "/no-such-page/")
    (shot,) = screenshots.shoot(context, site, page, of="site", width=390, out=tmp_path, schemes=("dark",))
    assert shot.is_bad
    text = screenshots.text_of([shot], {"logout": "takes no GET"})
    assert "404" in text
    assert "console: Failed to load resource" in text
    assert "On missing (site, 390, dark)." in text
    assert "- logout: takes no GET" in text


def test_the_pictures_of_the_readme_are_small_and_show_one_window(
    arguments: list[str], chromium: Any, tmp_path: Path
) -> None:
    options = screenshots.parse([*arguments, "--readme", "--pages", "faces", "export"])
    screenshots.take_readme(options, chromium)
    for path in (tmp_path / "faces.png", tmp_path / "export.png"):
        picture = Image.open(path)
        assert (picture.size, picture.mode) == ((1440, 900), "P")
        assert path.stat().st_size <= screenshots.README_BYTES
    with pytest.raises(SystemExit, match="no page 'episode'"):
        screenshots.take_readme(screenshots.parse([*arguments, "--readme"]), chromium)


def test_a_picture_of_many_colours_gets_fewer_until_it_is_small(tmp_path: Path) -> None:
    noise = Image.effect_noise((600, 600), 90).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    screenshots.small_png(out.getvalue(), tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size <= screenshots.README_BYTES
    assert len(Image.open(tmp_path / "noise.png").getcolors() or ()) < 256
