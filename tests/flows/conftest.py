"""A running Koma of its own for tests that walk through the pages as people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo_film.film import draw_small
from tests.flows.launched import Launched, alive
from tests.flows.visitor import Visitor, visiting

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from ingest.models import Collection
    from tests.annotate.views.conftest import Show

FILM_SEED = 5


@pytest.fixture(scope="session")
def drawn_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 seconds of a drawn episode of three people, 640x360."""
    film = tmp_path_factory.mktemp("film") / "[Koma] Yama no Susume S2 - 04 [360p].mp4"
    draw_small(film, seed=FILM_SEED, seconds=20, size=(640, 360))
    return film


@pytest.fixture(scope="module")
def koma(tmp_path_factory: pytest.TempPathFactory, with_tables: Callable[[Path], Path]) -> Iterator[Launched]:
    """The whole of Koma in its own processes, up and empty."""
    started = Launched(with_tables(tmp_path_factory.mktemp("koma") / "data"))
    try:
        started.wait_until_up()
        yield started
    finally:
        family = started.family() if started.process.poll() is None else []
        started.stop()
        left = alive(family)
        for process in left:
            process.kill()
    assert left == []


@pytest.fixture()
def show(collection: Collection, alice: User, bob: User) -> Show:
    """Six frames with a face each in two clusters, stored pictures, a character and a tag."""
    from tests.annotate.views.conftest import make_show

    return make_show(collection)


def logged_in(visitor: Visitor, user: User) -> Visitor:
    from django.conf import settings

    from tests.conftest import client_of

    cookie = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
    visitor.context.add_cookies(
        [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": visitor.address, "httpOnly": True}]
    )
    visitor.context.set_default_timeout(20_000)
    return visitor


@pytest.fixture()
def first(chromium: Any, live_server: Any, alice: User) -> Iterator[Visitor]:
    with visiting(chromium, live_server.url) as visitor:
        yield logged_in(visitor, alice)


@pytest.fixture()
def second(chromium: Any, live_server: Any, bob: User) -> Iterator[Visitor]:
    with visiting(chromium, live_server.url) as visitor:
        yield logged_in(visitor, bob)
