"""People, a tiny collection, real Redis, the running site and a real Chromium, for all tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.core.cache import cache

from tests import offline, time_limits

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

    from ingest.models import Collection

offline.guard()
# No test cuts the power. What tests start as processes of their own still waits for the disk.
os.fsync = lambda handle: None


def _no_fork() -> int:
    raise RuntimeError(
        "A test process has threads: a fork of it can hang, and while it lives it holds the pipe by which a run learns "
        "that the process has ended. Start a new Python instead (subprocess)."
    )


os.fork = _no_fork

# An example that takes long on a busy machine is no finding.
hypothesis.settings.register_profile("koma", parent=hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("koma")
# For `make mutants`, where each of a thousand runs is expected to fail: few examples, and none made smaller.
hypothesis.settings.register_profile(
    "mutants",
    max_examples=20,
    derandomize=True,
    deadline=None,
    database=None,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)

TEST_DATA = Path(os.environ.get("KOMA_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PASSWORD = "correct horse 7 battery"
SKIPS_ALLOWED_IN_CI = ("shared data", "needs root")  # what a skip's reason must name, where CI=true


SCHEDULING = os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else None

# Folders whose tests run on both databases.
ON_POSTGRES = {"actions", "models", "own_truth", "pipeline", "views", "stages"}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(time_limits.plugin(config))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-m postgres`, don't even import the files of which no test runs on PostgreSQL."""
    if config.option.markexpr != "postgres" or not collection_path.match("test_*.py"):
        return None
    may_run_there = ON_POSTGRES & set(collection_path.parts) or "postgres" in collection_path.read_text()
    return None if may_run_there else True


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores, because many tests wait: for a browser, another process, or a moment to pass."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (cores or 1) + 2


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Whatever `--dist` says."""
    from tests.together import Together

    return Together(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs the browser, and what depends on the database and so runs on PostgreSQL too; leave out what needs
    packages that nobody has to have, unless `make test-optional` has installed them, and what only the other database
    has. The slow ones come first, so that none of them is what everything else has to wait for at the end."""
    missing = {"optional"} if os.environ.get("KOMA_TEST_OPTIONAL") != "1" else set()
    missing |= {"sqlite_only" if os.environ.get("KOMA_TEST_DATABASE_URL") else "postgres_only"}
    left_out = [item for item in items if any(item.get_closest_marker(name) for name in missing)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        has_database = item.get_closest_marker("django_db") or fixtures & {"db", "transactional_db"}
        if item.get_closest_marker("postgres_only") or (
            ON_POSTGRES & set(item.path.parts) and has_database and "browser" not in fixtures
        ):
            item.add_marker(pytest.mark.postgres)
        if "browser" in fixtures:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """No test may leave its process with another priority: all that it starts later would inherit it."""
    if hasattr(os, "sched_getscheduler") and (policy := os.sched_getscheduler(0)) != SCHEDULING:
        os.sched_setscheduler(0, SCHEDULING, os.sched_param(0))
        pytest.fail(f"the test left its process with scheduling policy {policy} instead of {SCHEDULING}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Under CI a skip is a failure, unless it says that the shared data is absent: there everything else must run."""
    outcome: Any = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not any(word in reason for word in SKIPS_ALLOWED_IN_CI):
            report.outcome = "failed"
            report.longrepr = f"skipped under CI: {reason}"


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of shared test data (KOMA_TEST_DATA); the test is skipped where it is absent."""
    if not TEST_DATA.is_dir():
        pytest.skip(f"shared data is not at {TEST_DATA}; set KOMA_TEST_DATA")
    return TEST_DATA


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the processes of a run share the migrated database; with KOMA_TEST_MIGRATED all runs with that folder."""
    own = tmp_path_factory.getbasetemp()
    return Path(os.environ.get("KOMA_TEST_MIGRATED", own.parent if "PYTEST_XDIST_WORKER" in os.environ else own))


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_modify_db_settings: None, django_db_blocker: Any, migrated_folder: Path
) -> Iterator[None]:
    """The test database, migrated once for all processes of the run."""
    from django.test.utils import teardown_databases

    from tests.migrated_database import create

    with django_db_blocker.unblock():
        databases = create(migrated_folder)
    yield
    with django_db_blocker.unblock():
        teardown_databases(databases, verbosity=0)


@pytest.fixture(scope="session", autouse=True)
def _emptied_quickly() -> None:
    """After a test with `transaction=True`, whose rows are committed."""
    from django.test import TransactionTestCase

    from tests.emptying import empty

    TransactionTestCase._fixture_teardown = lambda case: [empty(name) for name in case._databases_names()]  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def with_tables(django_db_setup: None, migrated_folder: Path) -> Callable[[Path], Path]:
    """`with_tables(data_dir)`: that data folder, new, with a migrated database, for a process of its own."""
    from tests.migrated_database import put_into

    def made(data_dir: Path) -> Path:
        put_into(data_dir, migrated_folder)
        return data_dir

    return made


@pytest.fixture(autouse=True)
def _own_folders(settings: Any, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> None:
    """A data folder of its own for each test that uses the database; the others write nothing."""
    if request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(request.fixturenames):
        cache.clear()  # keys of rows come again in the next test
        folder = tmp_path_factory.mktemp("data")
        settings.KOMA_DATA_DIR = folder
        settings.KOMA_MODELS_DIR = folder / "models"
        settings.KOMA_EXPORT_DIR = folder / "exports"
        settings.MEDIA_ROOT = folder / "store"


def make_user(name: str, **more: Any) -> User:
    """A person with the password PASSWORD."""
    from django.contrib.auth.models import User

    return User.objects.create_user(name, f"{name}@example.org", PASSWORD, **more)


@pytest.fixture()
def alice(db: None) -> User:
    """Admin of the site and of the tiny collection."""
    return make_user("alice", is_staff=True, is_superuser=True)


@pytest.fixture()
def bob(db: None) -> User:
    """Reviewer of the tiny collection."""
    return make_user("bob")


@pytest.fixture()
def charlie(db: None) -> User:
    """Member of nothing."""
    return make_user("charlie")


@pytest.fixture()
def collection(alice: User, bob: User) -> Collection:
    """A collection with alice as its admin and bob as a reviewer."""
    from ingest.models import Collection, Membership, Role

    created = Collection.objects.create(name="Tiny show")
    Membership.objects.create(collection=created, user=alice, role=Role.ADMIN)
    Membership.objects.create(collection=created, user=bob, role=Role.REVIEWER)
    return created


def client_of(user: User) -> Client:
    """A test client with the user logged in; it enforces the CSRF check only where a test asks for that."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    return client


@pytest.fixture()
def as_alice(alice: User) -> Client:
    return client_of(alice)


@pytest.fixture()
def as_bob(bob: User) -> Client:
    return client_of(bob)


@pytest.fixture()
def as_charlie(charlie: User) -> Client:
    return client_of(charlie)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis of this test process; ends with it."""
    from project.serve.redis_server import RedisServer

    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server.url
    server.stop()


@pytest.fixture()
def queues(redis_url: str, settings: Any) -> Iterator[str]:
    """Real, empty RQ queues; returns the address of their Redis."""
    from redis import Redis

    from project.queues import rq_queues

    settings.REDIS_URL = redis_url
    settings.RQ_QUEUES = rq_queues(redis_url)
    with _django_rq_queues(settings.RQ_QUEUES), Redis.from_url(redis_url) as server:
        server.flushall()
        yield redis_url


class _django_rq_queues:
    """django-rq reads its setting once, at import: put the test's queues there for a while."""

    def __init__(self, queues: dict[str, Any]) -> None:
        self.queues = dict(queues)  # a copy: django-rq may hold this very dict

    def __enter__(self) -> None:
        from django_rq import settings as theirs

        self.before = dict(theirs.QUEUES)
        theirs.QUEUES.clear()
        theirs.QUEUES.update(self.queues)

    def __exit__(self, *error: object) -> None:
        from django_rq import settings as theirs

        theirs.QUEUES.clear()
        theirs.QUEUES.update(self.before)


def chromium_path() -> str:
    """The path of Debian's Chromium or of Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    pytest.fail("No Chromium on the path: apt-get install chromium (or any Chrome).")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running headless Chromium (playwright's Browser)."""
    from playwright.sync_api import sync_playwright

    # Playwright's event loop makes Django think that the thread is asynchronous.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture()
def browser(chromium: Any) -> Iterator[Any]:
    """A fresh page (playwright's Page); at the end the test fails if a script broke or the policy blocked anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    context.set_default_timeout(15_000)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    context.close()
    assert not problems, problems


@pytest.fixture()
def page_as(browser: Any, live_server: Any) -> Any:
    """`page_as(user, "/path/")`: open a page of the running site as that person."""

    def open_as(user: User, path: str = "/") -> Any:
        from django.conf import settings

        cookie = client_of(user).cookies[settings.SESSION_COOKIE_NAME].value
        browser.context.add_cookies(
            [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url, "httpOnly": True}]
        )
        browser.goto(live_server.url + path)
        return browser

    return open_as
