"""The models page and a collection's choice: who may, what is shown, what a form does."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from annotate import jobs
from annotate.backends.model_files import catalogue, registry
from annotate.model_library import model_actions
from annotate.models import ModelChoice, ModelJob, ModelTiming
from ingest.models import Membership, Role, RunState
from tests.annotate.hub_server import FakeHub, serving
from tests.annotate.model_library.conftest import MODEL, REPOSITORY, TAGS, WEIGHTS
from tests.pages import html_of

pytestmark = pytest.mark.django_db
ADDRESSES = ("/models/", "/models/work/", "/models/act/", "/models/import/", "/models/jobs/1/")


@pytest.fixture()
def hub(settings: Any, monkeypatch: pytest.MonkeyPatch, queues: str) -> Any:
    fake = FakeHub()
    fake.add(REPOSITORY, "model.onnx", b"\x08\x08" + WEIGHTS)
    fake.add(REPOSITORY, "lists/tags.csv", TAGS)
    monkeypatch.setitem(catalogue.CATALOGUE, MODEL.name, MODEL)
    with serving(fake):
        settings.KOMA_HUB_URL = fake.base
        yield fake


def act(client: Client, **values: Any) -> Any:
    return client.post("/models/act/", values)


def work() -> ModelJob:
    """The newest job, run as a worker runs it."""
    job = ModelJob.objects.latest("pk")
    jobs.run_model_job(jobs.NETWORKS if job.act == ModelJob.Act.MEASURE else jobs.FILES)
    job.refresh_from_db()
    return job


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_admins_of_the_site_come_in(address: str, as_bob: Client, as_charlie: Client) -> None:
    for client in (as_bob, as_charlie):
        for method in ("get", "post"):
            assert getattr(client, method)(address, {"act": "download", "name": "isnetis"}).status_code in (403, 405)
    assert Client().get(address).status_code == 302
    assert not ModelJob.objects.exists()


def test_the_page_tells_what_is_known_and_talks_to_nobody(hub: FakeHub, as_alice: Client) -> None:
    faces, tags, captions = (html_of(as_alice.get("/models/", {"task": task})) for task in ("faces", "tags", "caption"))
    assert "Built-in face detector" in faces
    assert "licence unknown" not in faces + tags + captions
    assert "licence not stated here; see <a" in " ".join(tags.split())
    assert "licence not stated here" not in faces
    assert "WD v3 SwinV2" in tags
    assert "Apache-2.0" in tags
    assert "Built-in face detector" not in tags
    assert "device=cuda is refused" in tags
    assert "OpenAI-compatible" in captions
    assert hub.asked == []
    assert "secret" not in faces + tags + captions


def test_the_token_is_on_no_page(hub: FakeHub, as_alice: Client, settings: Any) -> None:
    settings.KOMA_HUB_TOKEN = "hf_very_secret"
    for address in ("/models/", "/models/import/", "/status/", "/models/work/"):
        assert b"hf_very_secret" not in as_alice.get(address).content


def test_a_model_is_downloaded_checked_measured_and_removed_from_the_page(
    hub: FakeHub, as_alice: Client, settings: Any, collection: Any
) -> None:
    assert act(as_alice, act="download", name="tiny").status_code == 302
    page = html_of(as_alice.get("/models/"))
    assert "waiting for a worker" in page
    assert "every 1500ms" in page
    assert work().state == RunState.DONE
    over = as_alice.get("/models/work/")
    assert over.headers["HX-Refresh"] == "true"
    page = html_of(as_alice.get("/models/?task=installed"))
    assert "✓ installed" in page
    assert "sha256 " in page
    act(as_alice, act="verify", name="tiny")
    assert "All 2 files" in work().message
    ModelChoice.objects.create(collection=collection, task="tags", name="tiny")
    ModelTiming.objects.create(task="tags", name="tiny", device="CPU", ms_per_picture=12.34, pictures=9)
    page = html_of(as_alice.get("/models/?task=tags"))
    assert "12.3 ms per picture" in page
    assert "Chosen in Tiny show" in page
    act(as_alice, act="remove", name="tiny")
    assert registry.installed(settings.KOMA_MODELS_DIR) != []  # not without the tick
    act(as_alice, act="remove", name="tiny", sure="on")
    assert registry.installed(settings.KOMA_MODELS_DIR) == []
    assert not ModelTiming.objects.exists()


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "", "builtin", ".incoming", "a" * 300, "nothing", "x\ny"])
@pytest.mark.parametrize("what", ["download", "verify", "remove", "measure", "explode"])
def test_hostile_names_do_nothing(hub: FakeHub, as_alice: Client, settings: Any, name: str, what: str) -> None:
    settings.KOMA_MODELS_DIR.mkdir(parents=True)
    outside = settings.KOMA_MODELS_DIR.parent / "etc"
    outside.mkdir()
    answer = act(as_alice, act=what, name=name, task="tags", sure="on")
    assert answer.status_code == 302
    assert outside.is_dir()
    assert not ModelJob.objects.exists()
    assert hub.asked == []


def test_a_form_cannot_choose_where_a_download_comes_from(hub: FakeHub, as_alice: Client) -> None:
    act(as_alice, act="download", name="tiny", hub="http://127.0.0.1:1", repository="evil/model", url="http://evil")
    assert ModelJob.objects.get().params == {}
    assert work().state == RunState.DONE


def test_a_job_is_stopped_tried_again_and_taken_off_the_list(hub: FakeHub, as_alice: Client) -> None:
    act(as_alice, act="download", name="tiny")
    job = ModelJob.objects.get()
    as_alice.post(f"/models/jobs/{job.pk}/", {"act": "forget"})
    assert ModelJob.objects.filter(pk=job.pk).exists()  # an open one stays
    as_alice.post(f"/models/jobs/{job.pk}/", {"act": "cancel"})
    job.refresh_from_db()
    assert job.state == RunState.CANCELLED
    as_alice.post(f"/models/jobs/{job.pk}/", {"act": "retry"})
    assert ModelJob.objects.count() == 2
    as_alice.post(f"/models/jobs/{job.pk}/", {"act": "forget"})
    assert ModelJob.objects.count() == 1
    assert as_alice.post("/models/jobs/999/", {"act": "cancel"}).status_code == 404


def test_a_failed_download_is_reported_on_the_page(hub: FakeHub, as_alice: Client) -> None:
    hub.files.clear()
    act(as_alice, act="download", name="tiny")
    work()
    page = html_of(as_alice.get("/models/"))
    assert "has no model.onnx in somebody/tiny-tagger" in page
    assert "Retry" in page


def zipped(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_an_uploaded_zip_is_imported_and_not_kept(hub: FakeHub, as_alice: Client, settings: Any) -> None:
    data = zipped({"wd-own/model.onnx": b"\x08" * 2000, "wd-own/selected_tags.csv": TAGS, "wd-own/x.pt": b"x"})
    upload = SimpleUploadedFile("../../wd-own.zip", data, "application/zip")
    assert as_alice.post("/models/import/", {"zip": upload}).status_code == 302
    job = work()
    assert job.state == RunState.DONE
    assert "x.pt: .pt files can run code" in job.message
    assert [model.name for model in registry.installed(settings.KOMA_MODELS_DIR)] == ["wd-own"]
    assert list(model_actions.upload_folder().glob("upload-*")) == []


def test_a_refused_upload_leaves_nothing(hub: FakeHub, as_alice: Client, settings: Any) -> None:
    settings.KOMA_UPLOAD_MAX_BYTES = 10
    as_alice.post("/models/import/", {"zip": SimpleUploadedFile("a.zip", b"x" * 20)})
    settings.KOMA_UPLOAD_MAX_BYTES = 10_000
    as_alice.post("/models/import/", {"zip": SimpleUploadedFile("a.zip", b"x" * 20), "name": "../evil"})
    as_alice.post("/models/import/", {"zip": SimpleUploadedFile("a.zip", b"x" * 20), "family": "evil"})
    assert not ModelJob.objects.exists()
    assert list(model_actions.upload_folder().glob("upload-*")) == []
    as_alice.post("/models/import/", {"zip": SimpleUploadedFile("no.zip", b"x" * 20)})
    failed = work()
    assert "not a zip" in failed.error
    (files,) = model_actions.upload_folder().glob("upload-*")  # it can be tried again
    files.write_bytes(zipped({"model.onnx": b"\x08" * 2000, "selected_tags.csv": TAGS}))
    as_alice.post(f"/models/jobs/{failed.pk}/", {"act": "retry"})
    assert work().state == RunState.DONE
    assert not files.exists()


def test_a_zip_that_nobody_goes_on_with_is_deleted_after_a_day(settings: Any, db: None) -> None:
    folder = model_actions.upload_folder()
    folder.mkdir(parents=True)
    for name, age_s in (("old", 25 * 3600), ("young", 3600)):
        path = folder / f"upload-{name}.zip"
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age_s,) * 2)
    model_actions.tidy_uploads()
    assert [path.name for path in folder.glob("upload-*")] == ["upload-young.zip"]


def test_the_import_page_walks_the_library_and_nothing_else(
    hub: FakeHub, as_alice: Client, settings: Any, tmp_path: Any
) -> None:
    assert "No library folder is set" in html_of(as_alice.get("/models/import/"))
    (tmp_path / "shelf" / "wd-own").mkdir(parents=True)
    (tmp_path / "shelf" / "wd-own" / "model.onnx").write_bytes(b"\x08" * 2000)
    (tmp_path / "shelf" / "wd-own" / "selected_tags.csv").write_bytes(TAGS)
    (tmp_path / "outside").mkdir()
    settings.KOMA_LIBRARY_DIRS = [tmp_path / "shelf"]
    assert "wd-own" in html_of(as_alice.get("/models/import/"))
    assert "This folder" in html_of(as_alice.get("/models/import/?path=wd-own"))
    assert "not in the library" in html_of(as_alice.get("/models/import/?path=../outside"))
    as_alice.post("/models/import/", {"root": 0, "path": "../outside"})
    as_alice.post("/models/import/", {"root": 0})
    assert not ModelJob.objects.exists()
    as_alice.post("/models/import/", {"root": 0, "path": "wd-own"})
    assert work().state == RunState.DONE


def test_leads_choose_models_and_reviewers_do_not(
    as_alice: Client, as_bob: Client, bob: Any, collection: Any, settings: Any
) -> None:
    address = f"/c/{collection.pk}/models/"
    for name in ("wd-a", "wd-b"):
        (settings.KOMA_MODELS_DIR / name).mkdir(parents=True)
        (settings.KOMA_MODELS_DIR / name / "koma.json").write_text(json.dumps({"family": "wd"}))
    assert as_bob.get(address).status_code == 403
    assert as_bob.post(address, {"task": "tags", "name": "wd-b"}).status_code == 403
    Membership.objects.filter(user=bob).update(role=Role.LEAD)
    assert "default: wd-a" in html_of(as_bob.get(address))
    assert as_bob.post(address, {"task": "tags", "name": "wd-b"}).status_code == 302
    assert ModelChoice.objects.get().name == "wd-b"
    for task, name in (("tags", "wd-c"), ("poems", "wd-a"), ("tags", "../x")):
        as_bob.post(address, {"task": task, "name": name})
    assert ModelChoice.objects.get().name == "wd-b"
    as_bob.post(address, {"task": "tags", "name": ""})
    assert not ModelChoice.objects.exists()
    ModelChoice.objects.create(collection=collection, task="tags", name="wd-gone")
    assert "wd-gone is chosen but not installed" in html_of(as_alice.get(address))


def test_the_usual_models_come_first_and_a_search_goes_over_all_tasks(as_alice: Client) -> None:
    page = as_alice.get("/models/?task=tags").context["tasks"]
    assert [entry["task"].name for entry in page] == ["tags"]
    assert all(one["row"].installed or one["row"].recommended for one in page[0]["first"])
    assert len(page[0]["others"]) > 5
    found = as_alice.get("/models/?q=Built-In").context["tasks"]
    assert {entry["task"].name for entry in found} == {"faces", "embedding", "tags"}
    assert all(entry["others"] == [] for entry in found)
    assert "No models match" in html_of(as_alice.get("/models/?q=no+such+model"))
    assert as_alice.get("/models/?task=nonsense").context["tab"] == "faces"


def test_a_form_leads_back_to_its_tab(hub: FakeHub, as_alice: Client) -> None:
    sent = as_alice.post(
        "/models/act/", {"act": "download", "name": "tiny"}, HTTP_REFERER="http://testserver/models/?task=tags"
    )
    assert sent.headers["Location"] == "/models/?task=tags#tiny"
    elsewhere = as_alice.post(
        "/models/act/", {"act": "download", "name": "isnetis"}, HTTP_REFERER="http://testserver/c/1/"
    )
    assert elsewhere.headers["Location"] == "/models/#isnetis"
