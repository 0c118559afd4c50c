"""Redis gone, the database locked, the disk full: clear words at the right place, and nothing lost."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client

from annotate.models import Character, FrameTag
from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.models import ExportJob
from ingest.actions import history
from ingest.models import Operation, PipelineRun, RunState
from project.queues import rq_queues
from tests.conftest import PASSWORD, _django_rq_queues, client_of
from tests.pages import html_of
from tests.safety.conftest import World, files_below

ROOT = Path(__file__).resolve().parents[2]
HTMX = {"HX-Request": "true"}


# --- Redis ------------------------------------------------------------------------------------------------------------
@pytest.fixture()
def no_redis(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    settings.RQ_QUEUES = rq_queues(settings.REDIS_URL)
    with _django_rq_queues(settings.RQ_QUEUES):
        yield


@pytest.mark.django_db(transaction=True)
def test_without_redis_work_is_taken_on_and_waits(world: World, alice: User, no_redis: None) -> None:
    client = client_of(alice)
    started = client.post(world.address("run_start"), {"episode": world.rows["episode_id"].pk, "stage": "extract"})
    assert started.status_code == 302
    run = PipelineRun.objects.latest("pk")
    assert started.headers["Location"].endswith(f"/runs/{run.number}/")
    assert run.stages.get().state == RunState.QUEUED
    page = client.get(started.headers["Location"])
    assert page.status_code == 200
    exported = client.post(world.address("export_change"), {"act": "start", "name": "Set"})
    assert exported.status_code == 302
    assert ExportJob.objects.latest("pk").state == RunState.QUEUED
    for name in ("overview", "runs", "exports", "work", "frames", "faces"):
        assert client.get(world.address(name)).status_code == 200, name
    assert client.get("/healthz").json()["redis"] == "bad"
    assert "Redis does not answer" in html_of(client.get("/status/"))
    assert client.post(f"/c/{world.collection.pk}/runs/{run.number}/change/", {"cancel": "1"}).status_code == 302


# --- The database -----------------------------------------------------------------------------------------------------
@contextmanager
def locked_by_somebody() -> Iterator[None]:
    """A real second connection that holds the write lock; our own gives up waiting after a moment."""
    assert connection.vendor == "sqlite", "only SQLite locks the whole database"
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 100")
    with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA busy_timeout = 30000")


@pytest.mark.django_db(transaction=True)
def test_a_locked_database_is_reported_and_nothing_is_half_written(world: World, alice: User) -> None:
    client = client_of(alice)
    client.raise_request_exception = False
    before = (Operation.objects.count(), FrameTag.objects.count(), Character.objects.count())
    forms = [
        ("frame_tags", {"add": "smile"}), ("character_create", {"name": "Aoi"}), ("undo", {}),
        ("caption_change", {"text": "x"}),
        ("frames_change", {"act": "drop", "frame": world.frames[0].pk}), ("collection_settings", {"name": "x"}),
        ("invite", {"role": "20"}), ("run_start", {"episode": world.rows["episode_id"].pk}),
        ("export_change", {"act": "save"}),
        ("upload_begin", {"name": "a.mkv", "size": 9, "key": "k"}),
    ]  # fmt: skip
    with locked_by_somebody():
        for name in ("frames", "overview", "faces", "work", "runs"):
            assert client.get(world.address(name)).status_code == 200, f"{name} is only read, and that still works"
        for name, data in forms:
            partial = client.post(world.address(name), data, headers=HTMX)
            assert partial.status_code == 503, name
            assert "busy" in json.loads(partial.headers["HX-Trigger"])["toast"]["text"], name
        page = client.post(world.address("invite"), {"role": "20"})
        assert page.status_code == 503
        assert "database is busy" in html_of(page)
        assert "sqlite" not in html_of(page).lower()
        login = Client(raise_request_exception=False).post("/login/", {"username": "alice", "password": PASSWORD})
        assert login.status_code == 503
    assert (Operation.objects.count(), FrameTag.objects.count(), Character.objects.count()) == before
    for name, data in forms[:2]:
        assert client.post(world.address(name), data, headers=HTMX).status_code in (200, 204), name


@pytest.mark.django_db(transaction=True)
def test_what_a_lock_stopped_leaves_no_trace_and_can_be_done_again(world: World, alice: User) -> None:
    with (
        locked_by_somebody(),
        pytest.raises(OperationalError) as caught,
        history.operation(collection=world.collection, by=alice, kind="x.y", summary="x"),
    ):
        pass
    assert "locked" in str(caught.value)
    assert not Operation.objects.filter(kind="x.y").exists()
    with history.operation(collection=world.collection, by=alice, kind="x.y", summary="x"):
        pass
    assert Operation.objects.filter(kind="x.y").count() == 1


# --- The disk ---------------------------------------------------------------------------------------------------------
@pytest.fixture()
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    created = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if created.returncode:
        pytest.skip("a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.django_db
def test_an_export_that_fills_the_disk_says_so_leaves_nothing_and_goes_on_when_there_is_room(
    world: World, alice: User, settings: Any, small_disk: Path
) -> None:
    settings.KOMA_EXPORT_DIR = small_disk / "exports"
    (small_disk / "exports").mkdir()
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 1024)
        except OSError:
            pass
    recipe = parse({"arrange": {"min_per_combination": 1}})
    job = jobs.start(collection=world.collection, recipe=recipe, name="Set", by=alice)
    assert export_job.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert "full" in job.error.lower() or "space" in job.error.lower(), job.error
    assert "Traceback" not in job.error
    assert job.folder == ""
    assert not [name for name in files_below(small_disk / "exports") if name.endswith(".zip")]
    filler.unlink()
    jobs.resume(ExportJob.objects.get(pk=job.pk))
    assert export_job.execute(job.pk) == RunState.DONE, ExportJob.objects.get(pk=job.pk).error
    job.refresh_from_db()
    assert jobs.inside_exports(job.folder).is_dir()
