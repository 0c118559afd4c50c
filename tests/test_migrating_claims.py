"""Work of the last release comes through: what went wrong stays readable, and what was at work is taken up again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from annotate.jobs import sweep as sweep_annotate
from annotate.models import Evaluation, ModelJob
from export.jobs import sweep as sweep_export
from export.models import ExportJob, FaceExample
from tests.migrating import tables_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]
BEFORE = (("annotate", "0021_run_models"), ("export", "0003_face_example_wanted"))


def test_words_of_failed_jobs_stay_and_work_of_workers_that_are_gone_waits_again(queues: str) -> None:
    old = timezone.now() - timedelta(hours=1)
    with tables_of(*BEFORE) as apps:
        jobs = apps.get_model("annotate", "ModelJob").objects
        failed = jobs.create(act="download", name="a", state="failed", message="a has no model.onnx", token="t")
        done = jobs.create(act="verify", name="b", state="done", message="All 2 files are as they were.")
        rows = apps.get_model("annotate", "Evaluation").objects
        measured = rows.create(kind="faces", model="a", state="done", heartbeat_at=old, scores={"f1": 0.5})
        running = rows.create(kind="faces", model="a", state="running", token="u" * 32, heartbeat_at=old)
        collection = apps.get_model("ingest", "Collection").objects.create(name="Old")
        here = {"collection": collection, "started_at": old, "state": "running"}
        face = apps.get_model("export", "FaceExample").objects.create(digest="f" * 64, asked_at=old, **here)
        export = apps.get_model("export", "ExportJob").objects.create(name="Set", heartbeat_at=old, done=7, **here)
    assert list(ModelJob.objects.order_by("pk").values_list("pk", "error", "message")) == [
        (failed.pk, "a has no model.onnx", ""), (done.pk, "", "All 2 files are as they were."),
    ]  # fmt: skip
    assert Evaluation.objects.get(pk=measured.pk).started_at == old
    sweep_annotate()
    sweep_export()
    for model, pk in ((Evaluation, running.pk), (FaceExample, face.pk), (ExportJob, export.pk)):
        assert model.objects.get(pk=pk).state == "queued"
    assert ExportJob.objects.get(pk=export.pk).done == 7
    with tables_of(*BEFORE) as apps:  # and back
        assert apps.get_model("annotate", "ModelJob").objects.get(pk=failed.pk).message == "a has no model.onnx"
