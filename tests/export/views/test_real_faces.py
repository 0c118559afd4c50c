"""Faces of the export page as the upscaling model draws them: asked for, made by a worker, kept, as exported."""

from __future__ import annotations

import base64
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import django_rq
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.test import Client
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image
from rq.job import JobStatus

from export import jobs as rq_jobs
from export.actions import jobs
from export.algorithms.recipe import parse
from export.build import export_job
from export.models import FaceExample
from export.preview import example_faces
from ingest.models import Collection, RunState
from tests.annotate.upscale_graph import write_esrgan
from tests.export.conftest import Show
from tests.export.views.test_pages import form_of, url
from tests.pages import html_of

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]
MODEL = "tiny-x4"
FACES = {
    "face_set.enabled": ["on"], "face_set.grow": ["256"], "face_set.size": ["256"], "upscale.model": [MODEL],
}  # fmt: skip


@pytest.fixture()
def model(settings: Any) -> Path:
    """An upscaler that repeats each pixel four times: nothing that Lanczos would do."""
    folder: Path = settings.KOMA_MODELS_DIR / MODEL
    write_esrgan(folder / "model.onnx")
    (folder / "koma.json").write_text(json.dumps({"family": "real_esrgan"}))
    return folder


def page_of(client: Client, show: Show, name: str = "export_faces", **more: list[str]) -> str:
    source = {key.replace("__", "."): values for key, values in more.items()}
    answer = client.post(url(name, show), form_of(client, show) | FACES | source)
    assert answer.status_code == 200, answer.headers
    return str(html_of(answer))


def grow_old(seconds: int, **which: Any) -> None:
    """As if the page that wants them had asked so much longer ago."""
    FaceExample.objects.filter(**which).update(wanted_at=F("wanted_at") - timedelta(seconds=seconds))


def pictures(page: str, words: str) -> list[NDArray[np.uint8]]:
    """The pictures whose alternative text ends with these words."""
    result = re.findall(rf'src="data:image/webp;base64,([^"]+)"[^>]*alt="[^"]*{words}"', page)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")) for data in result]


def test_a_preview_asks_for_nothing_and_says_what_it_shows(show: Show, as_alice: Client, model: Path) -> None:
    page = page_of(as_alice, show, "export_preview")
    assert len(pictures(page, ", by Lanczos")) == 5
    assert f"Upscaling faces with {MODEL}: 0 of 5" in page
    assert 'hx-trigger="load delay:1200ms"' in page
    assert not FaceExample.objects.exists()


def test_faces_drawn_by_a_worker_are_those_of_the_data_set(show: Show, as_alice: Client, alice: User, model: Path,
                                                           queues: str) -> None:  # fmt: skip
    assert "0 of 5" in page_of(as_alice, show)
    assert FaceExample.objects.count() == 5
    assert rq_jobs.draw_faces(show.collection.pk) == "5 faces"
    page = page_of(as_alice, show)
    assert f"Left: Lanczos. Right: {MODEL} (as exported)." in page
    assert "load delay" not in page
    real, simple = pictures(page, f"by {MODEL}"), pictures(page, ", by Lanczos")
    assert len(real) == len(simple) == 5
    assert all(not np.array_equal(item, other) for item, other in zip(real, simple, strict=True))
    recipe = parse({
        "face_set": {"enabled": True, "grow": 256, "size": 256}, "upscale": {"model": MODEL},
        "selection": {"format": "webp"}, "arrange": {"min_per_combination": 1},
    })  # fmt: skip
    job = jobs.start(collection=show.collection, recipe=recipe, name="Faces", by=alice)
    assert export_job.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    written = [np.asarray(Image.open(path).convert("RGB")) for path in jobs.inside_exports(job.folder).rglob("*.webp")]
    for item in real:
        assert any(np.array_equal(item, other) for other in written)


def test_what_is_drawn_is_kept_and_other_settings_are_drawn_anew(
    show: Show, as_alice: Client, model: Path, queues: str
) -> None:
    page_of(as_alice, show)
    example_faces.draw(show.collection.pk)
    assert "Left: Lanczos" in page_of(as_alice, show, "export_preview")
    assert "0 of 5" in page_of(as_alice, show, "export_preview", face_set__size=["192"])
    page_of(as_alice, show, face_set__size=["192"])
    grow_old(90, state=RunState.QUEUED)
    page_of(as_alice, show, face_set__size=["160"])  # a slider that moved on: what waited is forgotten
    assert FaceExample.objects.filter(state=RunState.QUEUED).count() == 5
    assert {row.params["size"][0] for row in FaceExample.objects.filter(state=RunState.QUEUED)} == {160}
    # Other files under the same name are another model.
    write_esrgan(model / "model.onnx", channels=(1, 0.5, 1))
    assert "0 of 5" in page_of(as_alice, show, "export_preview")


def test_a_model_that_cannot_be_opened_is_reported_once_and_tried_again_only_when_asked(
    show: Show, as_alice: Client, model: Path, queues: str
) -> None:
    (model / "model.onnx").write_bytes(b"no graph")
    page_of(as_alice, show)
    assert example_faces.draw(show.collection.pk) == 0
    page = page_of(as_alice, show)
    assert "model.onnx" in page and "Retry" in page
    assert "load delay" not in page
    assert set(FaceExample.objects.values_list("state", flat=True)) == {RunState.FAILED}
    page_of(as_alice, show, again=["1"])
    assert set(FaceExample.objects.values_list("state", flat=True)) == {RunState.QUEUED}


def test_viewers_see_lanczos_and_why(show: Show, as_bob: Client, model: Path) -> None:
    page = page_of(as_bob, show, "export_preview")
    assert "upscaled with tiny-x4. This preview uses Lanczos until a lead" in page
    assert "hx-post" not in page


def test_a_filter_needs_no_worker(show: Show, as_alice: Client) -> None:
    page = page_of(as_alice, show, "export_preview", upscale__model=["bicubic"])
    assert page.count("data:image/webp;base64,") == 5
    assert "real-faces" not in page
    page_of(as_alice, show, upscale__model=["bicubic"])
    assert not FaceExample.objects.exists()


def test_few_faces_are_kept(show: Show, as_alice: Client, model: Path, monkeypatch: pytest.MonkeyPatch, queues: str
                            ) -> None:  # fmt: skip
    monkeypatch.setattr(example_faces, "KEPT", 7)
    for size in ("192", "160", "128"):
        page_of(as_alice, show, face_set__size=[size])
        example_faces.draw(show.collection.pk)
        if size != "128":
            grow_old(90)
    page_of(as_alice, show)
    done = FaceExample.objects.exclude(state=RunState.QUEUED)
    assert done.count() == 7
    assert "Left: Lanczos" in page_of(as_alice, show, "export_preview", face_set__size=["128"])  # shown just now
    grow_old(90)
    page_of(as_alice, show, face_set__size=["128"])  # now these are shown, whatever was asked for first
    assert sum(row.params["size"][0] == 128 for row in done) == 5


def test_two_at_the_page_do_not_take_each_others_faces_away(
    show: Show, as_alice: Client, model: Path, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_faces, "PATIENCE_S", 600)  # longer than this test takes anywhere
    page_of(as_alice, show)
    grow_old(20)
    page_of(as_alice, show, face_set__size=["192"])  # another person's settings
    page_of(as_alice, show)
    assert FaceExample.objects.filter(state=RunState.QUEUED).count() == 10
    grow_old(20)
    page_of(as_alice, show, face_set__size=["192"])  # the first one has left the page
    grow_old(20)
    page = page_of(as_alice, show, face_set__size=["192"])
    rows = FaceExample.objects.filter(state=RunState.QUEUED)
    assert {row.params["size"][0] for row in rows} == {192} and rows.count() == 5
    # Asking again and again is no new wait: the page says so, and the sweep sends what was lost on the way.
    assert "Waiting for a worker" not in page
    FaceExample.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert "Waiting for a worker" in page_of(as_alice, show, face_set__size=["192"])
    waiting = django_rq.get_queue(rq_jobs.QUEUE)
    waiting.empty()
    assert rq_jobs.sweep() == 5 and waiting.count == 1


def test_a_dead_worker_and_a_lost_message_are_made_good(show: Show, as_alice: Client, model: Path, queues: str) -> None:
    page_of(as_alice, show)
    old = timezone.now() - timedelta(hours=1)
    first = FaceExample.objects.earliest("pk")
    FaceExample.objects.update(asked_at=old)
    FaceExample.objects.filter(pk=first.pk).update(state=RunState.RUNNING, attempt=1, started_at=old, heartbeat_at=old)
    assert rq_jobs.sweep() == 5
    first.refresh_from_db()
    assert first.state == RunState.QUEUED
    FaceExample.objects.filter(pk=first.pk).update(state=RunState.RUNNING, attempt=2, heartbeat_at=old)
    assert rq_jobs.sweep() == 4
    first.refresh_from_db()
    assert first.state == RunState.FAILED and "worker died or hung 2 times" in first.error
    assert "Waiting for a worker of the queue “export”" in page_of(as_alice, show)


def test_faces_that_wait_for_a_busy_worker_are_queued_once(
    show: Show, as_alice: Client, model: Path, queues: str
) -> None:
    page_of(as_alice, show)
    FaceExample.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    waiting = django_rq.get_queue(rq_jobs.QUEUE)
    waiting.empty()
    for _ in range(3):
        assert rq_jobs.sweep() == 5
    assert waiting.count == 1
    (name,) = waiting.get_job_ids()
    job = waiting.fetch_job(name)
    assert job is not None
    waiting.remove(job)
    job.set_status(JobStatus.FAILED)  # its worker died
    assert rq_jobs.sweep() == 5
    assert waiting.count == 1


def test_a_face_that_nobody_waits_for_any_more_is_given_up_while_it_is_drawn(
    show: Show, as_alice: Client, model: Path, queues: str
) -> None:
    page_of(as_alice, show)
    row = example_faces.FACES.claim(FaceExample.objects.earliest("pk").pk)
    assert row is not None
    grow_old(90)
    page_of(as_alice, show, face_set__size=["192"])  # a slider that moved on
    assert example_faces.FACES.run(row, lambda report: report(at_once=True)) == RunState.CANCELLED
    page_of(as_alice, show)  # and back: as if it never had been asked for
    assert FaceExample.objects.filter(digest=row.digest).get().state == RunState.QUEUED


def test_collections_take_turns_with_a_page_of_faces(
    show: Show, as_alice: Client, model: Path, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example_faces, "PER_TURN", 2)
    page_of(as_alice, show)
    other = Collection.objects.create(name="Other")
    params = FaceExample.objects.earliest("pk").params
    FaceExample.objects.create(collection=other, digest="0" * 64, params=params, asked_at=timezone.now())
    assert [rq_jobs.draw_faces() for _ in range(5)] == ["2 faces", "1 faces", "2 faces", "1 faces", "0 faces"]
    done = FaceExample.objects.order_by("finished_at").values_list("collection", flat=True)
    assert list(done) == [show.collection.pk] * 2 + [other.pk] + [show.collection.pk] * 3
