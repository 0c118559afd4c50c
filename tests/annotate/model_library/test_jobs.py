"""Jobs over the models folder: real queues, progress in the row, stopped, taken over after a death, tidied up."""

from __future__ import annotations

import threading
import time

import django_rq
import pytest
from rq.worker import SimpleWorker

from annotate import jobs
from annotate.backends.model_files import catalogue, registry
from annotate.model_library import model_actions as acts
from annotate.model_library import model_jobs as running
from annotate.models import ModelJob, ModelTiming
from ingest.errors import BadInput, Conflict
from ingest.models import RunState
from ingest.pipeline import claims
from tests.annotate.model_library.conftest import MODEL

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _hub_in_settings(settings, hub, monkeypatch):
    settings.KOMA_HUB_URL = hub.base
    monkeypatch.setitem(catalogue.CATALOGUE, MODEL.name, MODEL)


def test_a_download_goes_through_the_queue_and_is_installed(queues, settings, alice):
    job = acts.download(name="tiny", by=alice)
    assert jobs.wake()
    assert jobs.wake()  # once in the queue, however often it is sent
    queue = django_rq.get_queue("io")
    assert queue.count == 1
    SimpleWorker([queue], connection=queue.connection, serializer=queue.serializer).work(burst=True)
    job.refresh_from_db()
    assert job.state == RunState.DONE
    assert "hashes compared" in job.message
    assert [model.name for model in registry.installed(settings.KOMA_MODELS_DIR)] == ["tiny"]


def test_only_one_job_at_a_time_works_on_a_model(alice):
    job = acts.download(name="tiny", by=alice)
    with pytest.raises(Conflict, match="is busy"):
        acts.download(name="tiny", by=alice)
    with pytest.raises(Conflict, match="Stop the running job first"):
        acts.remove(name="tiny")
    acts.cancel(job)
    with pytest.raises(Conflict, match="cancelled already"):
        acts.cancel(job)
    assert acts.download(name="tiny", by=alice).pk != job.pk


@pytest.mark.django_db(transaction=True)
def test_a_running_download_tells_how_far_it_is_and_stops_when_asked(hub, settings, alice, monkeypatch):
    monkeypatch.setattr(claims, "REPORT_EVERY_S", 0.0)
    hub.pause = threading.Event()
    job = acts.download(name="tiny", by=alice)
    worker = threading.Thread(target=_execute, args=(job.pk,))
    worker.start()
    try:
        _until(lambda: ModelJob.objects.get(pk=job.pk).done_bytes > 100_000)
        row = ModelJob.objects.get(pk=job.pk)
        assert row.total_bytes > 300_000
        assert row.message == "model.onnx"
        acts.cancel(row)
    finally:
        hub.pause.set()
        worker.join(20)
    row.refresh_from_db()
    assert row.state == RunState.CANCELLED
    assert registry.installed(settings.KOMA_MODELS_DIR) == []
    hub.pause = None
    again = acts.retry(job=row, by=alice)
    assert running.execute(again.pk) == RunState.DONE
    assert any(requested.startswith("bytes=") for _, _, requested, _ in hub.asked)


def test_a_failure_is_reported_and_can_be_tried_again(hub, alice):
    del hub.files[MODEL.repository]["model.onnx"]
    job = acts.download(name="tiny", by=alice)
    assert running.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert "has no model.onnx" in job.error
    hub.add(MODEL.repository, "model.onnx", b"\x08" * 2000)
    assert running.execute(acts.retry(job=job, by=alice).pk) == RunState.DONE


def test_damage_is_found_by_a_check(settings, alice):
    running.execute(acts.download(name="tiny", by=alice).pk)
    fine = acts.verify(name="tiny", by=alice)
    assert running.execute(fine.pk) == RunState.DONE
    fine.refresh_from_db()
    assert fine.message == "All 2 files are unchanged."
    (settings.KOMA_MODELS_DIR / "tiny" / "model.onnx").write_bytes(b"x")
    bad = acts.verify(name="tiny", by=alice)
    assert running.execute(bad.pk) == RunState.FAILED
    bad.refresh_from_db()
    assert "model.onnx is damaged" in bad.error
    with pytest.raises(BadInput, match="not installed"):
        acts.verify(name="nothing", by=alice)


def test_the_built_in_models_are_measured_here(alice, monkeypatch):
    monkeypatch.setattr(running.speed, "ENOUGH_S", 0.0)
    for task in ("faces", "embedding"):
        job = acts.measure(name="builtin", task=task, by=alice)
        assert running.execute(job.pk) == RunState.DONE
        timing = ModelTiming.objects.get(task=task, name="builtin")
        assert timing.ms_per_picture > 0
        assert "CPU" in timing.device
    assert running.execute(acts.measure(name="builtin", task="faces", by=alice).pk) == RunState.DONE
    assert ModelTiming.objects.count() == 2  # measured again: the same row


def test_an_import_from_the_library_stays_inside_of_it(settings, alice, tmp_path):
    (tmp_path / "shelf" / "wd-own").mkdir(parents=True)
    (tmp_path / "shelf" / "wd-own" / "model.onnx").write_bytes(b"\x08" * 2000)
    (tmp_path / "shelf" / "wd-own" / "selected_tags.csv").write_text("tag_id,name,category,count\n1,solo,0,9\n")
    (tmp_path / "outside").mkdir()
    settings.KOMA_LIBRARY_DIRS = [tmp_path / "shelf"]
    for hostile in ("../outside", "wd-own/../../outside", "/etc", "", ".", "\0"):
        with pytest.raises(BadInput):
            acts.import_from_library(root=0, relative=hostile, name="x", family="", by=alice)
    with pytest.raises(BadInput):
        acts.import_from_library(root=1, relative="wd-own", name="", family="", by=alice)
    with pytest.raises(BadInput, match="not a type of model"):
        acts.import_from_library(root=0, relative="wd-own", name="", family="evil", by=alice)
    job = acts.import_from_library(root=0, relative="wd-own", name="", family="", by=alice)
    assert running.execute(job.pk) == RunState.DONE
    assert [model.name for model in registry.installed(settings.KOMA_MODELS_DIR)] == ["wd-own"]


def _execute(pk):
    from django.db import connection

    try:
        running.execute(pk)
    finally:
        connection.close()


def _until(question, seconds=15):
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)
