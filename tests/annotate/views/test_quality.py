"""Measurements asked for on the quality page: run by a worker's code, shown with their worst mistakes, admins only."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import django_rq
import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from rq.job import JobStatus

from annotate import jobs
from annotate.evaluation import evaluation_jobs
from annotate.models import Evaluation
from ingest.models import RunState
from ingest.pipeline import claims
from tests.annotate.face_graph import picture_with, write_graph
from tests.pages import html_of

pytestmark = pytest.mark.django_db


@pytest.fixture()
def library(tmp_path: Path, settings: Any, queues: str) -> Path:
    """A library folder with measured faces (one hit, one miss, one alarm), and a detector for them."""
    root = tmp_path / "library"
    folder = root / "faces"
    folder.mkdir(parents=True)
    settings.KOMA_LIBRARY_DIRS = [root]
    write_graph(settings.KOMA_MODELS_DIR)
    for name, cell in (("a.png", (2, 3)), ("b.png", (5, 1))):
        cv2.imwrite(str(folder / name), picture_with(cell)[..., ::-1])
    truth = {"a.png": {"boxes": [[16, 24, 24, 40], [40, 8, 48, 16]]}, "b.png": {"boxes": []}}
    (folder / "boxes.json").write_text(json.dumps(truth))
    return root


def ask(client: Client, **more: Any) -> Any:
    values = {"kind": "faces", "root": 0, "path": "faces", "model": "tiny"} | more
    return client.post(reverse("quality"), values)


def test_a_measurement_waits_for_a_worker_and_then_shows_figures_plot_and_mistakes(
    library: Path, as_alice: Client
) -> None:
    assert ask(as_alice).status_code == 302
    row = Evaluation.objects.get()
    assert "waiting for a worker" in html_of(as_alice.get(reverse("quality")))
    assert jobs.run_evaluation() == "done"
    page = html_of(as_alice.get(reverse("evaluation", args=[row.pk])))
    assert "1 missed" in page and 'class="missed"' in page and "1 of 2" in page
    listed = html_of(as_alice.get(reverse("quality")))
    assert "1 of 2 faces" in listed and "every 2s" not in listed
    picture = as_alice.get(reverse("mistake", args=[row.pk, 0, 0]))
    assert picture["Content-Type"] == "image/jpeg" and len(picture.content) > 100


def test_two_models_on_one_folder_stand_side_by_side(library: Path, as_alice: Client) -> None:
    for model in ("tiny", "builtin"):
        ask(as_alice, model=model)
        jobs.run_evaluation()
    page = html_of(as_alice.get(reverse("quality")))
    assert "Faces on faces" in page and page.count("<dt title=") == 2


def test_what_goes_wrong_is_said_on_the_row(library: Path, as_alice: Client) -> None:
    (library / "faces" / "boxes.json").unlink()
    ask(as_alice)
    row = Evaluation.objects.get()
    assert evaluation_jobs.execute(row.pk) == RunState.FAILED
    row.refresh_from_db()
    assert "boxes.json is missing" in row.error
    assert "boxes.json is missing" in html_of(as_alice.get(reverse("evaluation", args=[row.pk])))


def test_folders_outside_the_library_and_unknown_kinds_are_refused(library: Path, as_alice: Client) -> None:
    for more in ({"path": "../"}, {"path": "/etc"}, {"root": 7}, {"kind": "taste"}, {"path": "nowhere"}):
        response = as_alice.post(
            reverse("quality"), {"kind": "faces", "root": 0, "path": "faces"} | more, headers={"HX-Request": "true"}
        )
        assert response.status_code == 422, more
    assert not Evaluation.objects.exists()


def test_a_mistakes_picture_never_comes_from_elsewhere(library: Path, as_alice: Client) -> None:
    outside = library.parent / "secret.png"
    cv2.imwrite(str(outside), np.zeros((8, 8, 3), np.uint8))
    row = Evaluation.objects.create(
        kind="faces", folder="0:faces", model="tiny", state="done",
        mistakes=[{"pictures": ["../../secret.png", "gone.png"], "words": ""}],
    )  # fmt: skip
    for place, number in ((0, 0), (0, 1), (0, 2), (5, 0)):
        assert as_alice.get(reverse("mistake", args=[row.pk, place, number])).status_code == 404


def test_it_is_for_admins_of_the_site(library: Path, as_alice: Client, as_bob: Client) -> None:
    ask(as_alice)
    row = Evaluation.objects.get()
    pages = [reverse("quality"), reverse("evaluation", args=[row.pk]), reverse("mistake", args=[row.pk, 0, 0])]
    for address in pages:
        assert as_bob.get(address).status_code == 403
        assert Client().get(address).headers["Location"].startswith("/login/")
    assert ask(as_bob).status_code == 403
    assert as_bob.post(reverse("evaluation_change", args=[row.pk]), {"act": "cancel"}).status_code == 403


def test_cancelled_before_and_while_it_runs(library: Path, as_alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(as_alice)
    waiting = Evaluation.objects.get()
    as_alice.post(reverse("evaluation_change", args=[waiting.pk]), {"act": "cancel"})
    assert evaluation_jobs.execute(waiting.pk) is None
    ask(as_alice)
    running = Evaluation.objects.latest("pk")
    Evaluation.objects.filter(pk=running.pk).update(cancel_requested=True)
    assert evaluation_jobs.execute(running.pk) == RunState.CANCELLED


def test_a_dead_workers_measurement_fails_with_a_message_and_can_be_asked_again(
    library: Path, as_alice: Client
) -> None:
    from datetime import timedelta

    from django.utils import timezone

    long_ago = timezone.now() - timedelta(hours=1)
    row = Evaluation.objects.create(
        kind="faces", folder="0:faces", model="tiny", state="running", token="x", heartbeat_at=long_ago
    )
    jobs.sweep()
    row.refresh_from_db()
    assert row.state == "queued"  # it begins again by itself
    Evaluation.objects.filter(pk=row.pk).update(state="running", attempt=2, heartbeat_at=long_ago)
    jobs.sweep()
    row.refresh_from_db()
    assert (row.state, "measure again" in row.error) == ("failed", True)
    as_alice.post(reverse("evaluation_change", args=[row.pk]), {"act": "again"})
    assert evaluation_jobs.execute(Evaluation.objects.latest("pk").pk) == RunState.DONE


def test_a_measurement_that_thinks_for_long_is_not_taken_for_dead(
    library: Path, as_alice: Client, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    ask(as_alice)
    row = Evaluation.objects.get()
    first = []

    def slow(folder: Path, models_dir: Path, options: Any) -> Any:
        first.append(Evaluation.objects.get().heartbeat_at)
        until = time.monotonic() + 20
        while Evaluation.objects.get().heartbeat_at == first[0] and time.monotonic() < until:
            time.sleep(0.02)
        return faces(folder, models_dir, options)

    faces = evaluation_jobs.KINDS["faces"].run
    monkeypatch.setattr(claims, "HEARTBEAT_EVERY_S", 0.05)
    monkeypatch.setitem(evaluation_jobs.KINDS, "faces", replace(evaluation_jobs.KINDS["faces"], run=slow))
    assert evaluation_jobs.execute(row.pk) == RunState.DONE
    assert Evaluation.objects.get().heartbeat_at > first[0]


def test_a_job_whose_worker_died_before_it_began_is_sent_again(library: Path, as_alice: Client) -> None:
    ask(as_alice)
    queue = django_rq.get_queue(jobs.NETWORKS)
    (called,) = queue.get_job_ids()
    queue.fetch_job(called).set_status(JobStatus.FAILED)
    queue.connection.delete(queue.key)  # taken off the queue, never claimed
    jobs.sweep()
    assert [name.startswith("evaluation-") for name in queue.get_job_ids()] == [True]
