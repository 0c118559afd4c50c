"""What models and their servers could reach or be told: code, addresses, endless answers, words for captions and pages;
who may ask for what; models that vanish while a run uses them."""

from __future__ import annotations

import io
import json
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.test import Client

from annotate import jobs
from annotate.backends.captioners.blip2 import Blip2
from annotate.backends.captioners.endpoint import BODY_MAX, ChatEndpoint, Endpoint
from annotate.backends.contract import CaptionAsk
from annotate.backends.model_files import folder, registry
from annotate.backends.model_files.registry import FAMILIES, Installed
from annotate.evaluation import evaluation_jobs
from annotate.model_library import model_actions
from annotate.models import Evaluation, ModelAnswer, ModelChoice, ModelJob, Tag
from ingest.actions import runs
from ingest.errors import BadInput
from ingest.humane import filesize
from ingest.imaging.encode import PictureFormat, encode
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, Membership, PipelineRun, Role, RunState, Source, StageRun
from ingest.pipeline import registry as stages
from tests.annotate.picture_nets import write_tagger
from tests.annotate.scorer_graphs import write_model, write_tags
from tests.conftest import client_of
from tests.pages import html_of
from tests.safety.conftest import World

FRAMES = 40


# --- Code -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("config.json", {"auto_map": {"AutoModel": "modeling_evil.Evil"}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil/repo--tok.Evil", None]}}),
        ("preprocessor_config.json", {"auto_map": {}}),
        ("config.json", {"quantization_config": {"quant_method": "evil"}}),
        ("config.json", {"attn_implementation": "evil/kernels"}),
    ],
)
def test_a_captioner_whose_files_ask_for_code_is_refused(tmp_path: Path, file: str, told: dict[str, Any]) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "modeling_evil.py").write_text("raise SystemExit('ran')")
    (tmp_path / file).write_text(json.dumps(told))
    with pytest.raises(BadInput, match=rf"{file} requests custom code"):
        Blip2(Installed("tiny", FAMILIES["blip2"], tmp_path))


# --- Captioning servers -----------------------------------------------------------------------------------------------
@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that answers each connection as `talk` says, byte by byte."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    connection.recv(1 << 20)
                    talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    finally:
        over.set()
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


def endless(wire: socket.socket) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        wire.sendall(b"10000\r\n" + b" " * 65536 + b"\r\n")


def continues(wire: socket.socket) -> None:
    while True:
        wire.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def headers(wire: socket.socket) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        wire.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")


def one_line(wire: socket.socket) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while True:
        wire.sendall(b"y" * 65536)


def lies(wire: socket.socket) -> None:
    wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n" + b" " * (BODY_MAX + 10))


@pytest.mark.parametrize("talk", [endless, continues, headers, one_line, lies])
def test_an_answer_without_an_end_costs_a_megabyte_and_a_moment(talk: Callable[[socket.socket], None]) -> None:
    picture = encode(np.zeros((8, 8, 3), np.uint8), PictureFormat("jpeg"))
    with raw_server(talk) as url:
        asker = ChatEndpoint(Endpoint(url, "m", key="sk-secret", timeout_s=2), attempts=1)
        (answer,) = asker.caption([CaptionAsk("What?", picture)])
    assert answer.text == ""
    assert answer.problem
    assert "sk-secret" not in answer.problem


def test_a_packed_answer_is_not_unpacked() -> None:
    """A gigabyte of blanks is a megabyte when packed; nothing was asked for packed."""

    def packed(wire: socket.socket) -> None:
        body = b"\x1f\x8b\x08" + b"\0" * 1000
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    with raw_server(packed) as url:
        (answer,) = ChatEndpoint(Endpoint(url, "m", timeout_s=5), attempts=1).caption([CaptionAsk("?", b"x")])
    assert "chat format" in answer.problem


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    ["http://169.254.169.254/latest", "http://[::ffff:127.0.0.1]/", "file:///etc/passwd", "//evil", "../../etc",
     "2130706433"],
)  # fmt: skip
def test_no_form_chooses_where_a_picture_is_sent(
    world: World, alice: User, settings: Any, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is the operator's, by the environment; a run names a server or an installed model, nothing else."""

    def refuse(*address: Any, **_: Any) -> None:
        raise AssertionError(f"asked for {address}")

    settings.KOMA_CAPTION_URL, settings.KOMA_CAPTION_MODEL = "http://127.0.0.1:9/v1", "m"
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    episode = world.rows["episode_id"]
    run = runs.run_here(
        runs.start(
            collection=world.collection, episodes=[episode], by=alice, stage_names=("caption",),
            params={"caption": {"captioner": asked}},
        )
    )  # fmt: skip
    row = StageRun.objects.get(run=run, stage="caption")
    assert row.state == RunState.FAILED
    assert "There is no model" in row.error


# --- Pages of the site's admins ---------------------------------------------------------------------------------------
ADMIN_PAGES = (
    "/models/", "/models/work/", "/models/act/", "/models/import/", "/models/jobs/{job}/", "/quality/",
    "/quality/{evaluation}/", "/quality/{evaluation}/change/", "/quality/{evaluation}/mistakes/0/0/",
)  # fmt: skip


@pytest.fixture()
def admin_pages(db: None, alice: User) -> list[str]:
    """Addresses of real rows, so that a refusal is no 404."""
    job = ModelJob.objects.create(act="download", name="isnetis", created_by=alice, state=RunState.FAILED)
    row = Evaluation.objects.create(kind="faces", folder="0:x", model="builtin", by=alice, state=RunState.DONE)
    from tests.safety.conftest import PATTERNS

    names = {"models", "models_work", "models_act", "models_import", "models_job", "quality", "evaluation"}
    assert names | {"evaluation_change", "mistake"} <= set(PATTERNS)
    return [path.format(job=job.pk, evaluation=row.pk) for path in ADMIN_PAGES]


@pytest.mark.parametrize("verb", ["get", "head", "post", "put", "patch", "delete"])
def test_an_admin_of_every_collection_is_no_admin_of_the_models(
    world: World, charlie: User, admin_pages: list[str], verb: str
) -> None:
    Membership.objects.create(collection=world.collection, user=charlie, role=Role.ADMIN)
    before = (list(ModelJob.objects.values()), list(Evaluation.objects.values()))
    for address in admin_pages:
        answer = getattr(client_of(charlie), verb)(address, {"act": "cancel", "name": "isnetis", "sure": "on"})
        assert answer.status_code in (403, 404, 405), (address, answer.status_code)
        assert getattr(Client(), verb)(address).status_code == 302, address
    assert (list(ModelJob.objects.values()), list(Evaluation.objects.values())) == before


@pytest.mark.parametrize("verb", ["get", "head", "put", "patch", "delete", "options"])
def test_to_look_at_the_admins_pages_starts_and_changes_nothing(
    admin_pages: list[str], as_alice: Client, verb: str, queues: str
) -> None:
    before = (list(ModelJob.objects.values()), list(Evaluation.objects.values()))
    for address in admin_pages:
        answer = getattr(as_alice, verb)(f"{address}?act=remove&name=isnetis&sure=on&kind=faces")
        assert answer.status_code < 500, address
    assert (list(ModelJob.objects.values()), list(Evaluation.objects.values())) == before


@pytest.mark.django_db
def test_a_stranger_cannot_fill_the_disk_by_a_form(
    settings: Any, tmp_path: Path, as_bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who only has the cookie that the login page gives to everybody; the form is read before it is refused."""
    sizes: list[int] = []
    real = TemporaryFileUploadHandler.receive_data_chunk

    def count(self: TemporaryFileUploadHandler, raw_data: bytes, start: int) -> None:
        sizes.append(len(raw_data))
        real(self, raw_data, start)

    monkeypatch.setattr(TemporaryFileUploadHandler, "receive_data_chunk", count)
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/login/")
    for address in ("/models/import/", "/login/", "/c/1/add/"):
        answer = stranger.post(address, {"zip": io.BytesIO(b"x" * (8 << 20))})
        assert answer.status_code == 400, address
    assert sizes == []
    settings.KOMA_UPLOAD_MAX_BYTES = 4 << 20
    assert as_bob.post("/models/import/", {"zip": io.BytesIO(b"x" * (8 << 20))}).status_code == 400
    assert sizes == []
    assert as_bob.post("/models/import/", {"zip": io.BytesIO(b"x" * (3 << 20))}).status_code == 403
    assert sum(sizes) == 3 << 20
    assert stranger.post("/login/", {"username": "x" * 1000, "password": "y"}).status_code in (200, 403)


@pytest.mark.django_db
def test_what_was_fetched_of_a_model_can_be_given_up_on_the_page(as_alice: Client, settings: Any) -> None:
    part = Path(settings.KOMA_MODELS_DIR) / folder.INCOMING / "isnetis" / "model.onnx.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (3 << 20))
    assert f"Frees {filesize(3 << 20)}." in html_of(as_alice.get("/models/?q=isnetis"))
    as_alice.post("/models/act/", {"act": "remove", "name": "isnetis", "sure": "on"})
    assert not part.exists()
    assert "Frees" not in html_of(as_alice.get("/models/?q=isnetis"))


# --- Measurements -----------------------------------------------------------------------------------------------------
@pytest.mark.django_db
def test_figures_and_names_that_no_database_takes_end_as_words(
    settings: Any, tmp_path: Path, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scores:
        def as_json(self) -> dict[str, Any]:
            return {"found": float("nan"), "name": "\udce9\0"}

        def mistakes(self) -> list[Any]:
            return []

        def notes(self) -> list[str]:
            return ["caf\udce9\0.png"]

    settings.KOMA_LIBRARY_DIRS = [tmp_path]
    (tmp_path / "set").mkdir()
    row = evaluation_jobs.ask(kind="faces", root=0, path="set", model="builtin", by=alice)
    kind = evaluation_jobs.KINDS["faces"]
    monkeypatch.setitem(
        evaluation_jobs.KINDS, "faces", type("Kind", (), {"options": kind.options, "run": lambda *_: Scores()})()
    )
    assert evaluation_jobs.execute(row.pk) == RunState.FAILED
    row.refresh_from_db()
    assert row.state == RunState.FAILED
    assert "cannot be stored" in row.error


# --- Words of models on pages and in files ----------------------------------------------------------------------------
@pytest.mark.django_db
def test_labels_of_a_model_are_text_on_every_page_and_one_tag_in_captions(
    collection: Collection, as_alice: Client, settings: Any
) -> None:
    models = Path(settings.KOMA_MODELS_DIR)
    (models / "wd-evil").mkdir(parents=True)
    labels = [
        "<img src=x onerror=alert(1)>",
        '"><script>alert(1)</script>',
        "=cmd|' /C calc'!A0",
        '"a, b, c"',
        "x" * 180,
    ]
    rows = [(f'"{label.strip(chr(34)).replace(chr(34), chr(34) * 2)}"', 0) for label in labels]
    write_tags(models / "wd-evil", [("general", 9), *rows])
    write_model(models / "wd-evil", side=4, weights=np.zeros((48, 6)), bias=[0.9] * 6)
    ModelChoice.objects.create(collection=collection, task="tags", name="wd-evil")
    episode = episode_of(collection, 2)
    done = runs.run_here(
        runs.start(collection=collection, episodes=[episode], by=None, stage_names=("tag",), params=None)
    )
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
    names = set(Tag.objects.values_list("name", flat=True))
    assert {"<img_src=x_onerror=alert(1)>", "a_b_c"} <= names
    assert not any("," in name or "\n" in name for name in names)
    frame = Frame.objects.filter(episode=episode).first()
    assert frame is not None
    for address in (
        "frames/",
        f"frames/{frame.pk}/",
        "tags/?q=img",
        "compare/",
        "export/",
        f"frames/{frame.pk}/caption/",
    ):
        page = html_of(as_alice.get(f"/c/{collection.pk}/{address}")).lower()
        assert "<img src=x" not in page and "<img_src=x" not in page and "<script>alert" not in page, address
    text = html_of(as_alice.get(f"/c/{collection.pk}/frames/{frame.pk}/caption/"))
    assert "a, b, c" not in text


# --- Models that vanish -----------------------------------------------------------------------------------------------
def episode_of(collection: Collection, count: int) -> Episode:
    """Frames of one colour each."""
    store = Store(Path(_data_dir()) / "store")
    source = Source.objects.create(collection=collection, kind="video", name="a.mkv", path="a.mkv", sha256="a" * 64)
    episode = Episode.objects.create(collection=collection, source=source, title="a")
    for index in range(count):
        file = store.put(encode(np.full((6, 6, 3), 5 * index, np.uint8), PictureFormat("png")), "png")
        Frame.objects.create(
            collection=collection, episode=episode, index=index, width=6, height=6, file=file, preview=file
        )
    return episode


def _data_dir() -> Any:
    from django.conf import settings

    return settings.KOMA_DATA_DIR


@pytest.fixture()
def looking(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["annotate.stages.run_models.RunModels"]
    stages.stages.cache_clear()
    yield
    stages.stages.cache_clear()


def run_models(episode: Episode) -> PipelineRun:
    return runs.run_here(runs.start(collection=episode.collection, episodes=[episode], by=None, params=None))


@pytest.mark.django_db
@pytest.mark.parametrize("act", ["remove", "replace"])
def test_a_model_that_is_removed_or_replaced_while_a_run_uses_it_answers_to_the_end(
    looking: None, collection: Collection, settings: Any, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    """What was opened stays open; all answers of the run are of one version."""
    models = Path(settings.KOMA_MODELS_DIR)
    write_tagger(models / "one")
    write_tagger(models.parent / "turned", turned=True)
    episode = episode_of(collection, FRAMES)
    real, done = Store.read, []

    def read(self: Store, name: str) -> bytes:
        done.append(name)
        if len(done) == FRAMES // 2:
            folder.remove(models, "one")
            if act == "replace":
                shutil.copytree(models.parent / "turned", models / "one")
        return real(self, name)

    monkeypatch.setattr(Store, "read", read)
    run = run_models(episode)
    assert run.state == RunState.DONE, [stage.error for stage in run.stages.all()]
    assert ModelAnswer.objects.count() == FRAMES
    assert len(set(ModelAnswer.objects.values_list("model_version", flat=True))) == 1
    assert bool(registry.installed(models)) == (act == "replace")


@pytest.mark.django_db
def test_a_chosen_model_that_vanished_before_the_run_is_reported(
    looking: None, collection: Collection, settings: Any
) -> None:
    write_tagger(Path(settings.KOMA_MODELS_DIR) / "one")
    ModelChoice.objects.create(collection=collection, task="tags", name="one")
    model_actions.remove(name="one")
    run = run_models(episode_of(collection, 2))
    (row,) = run.stages.all()
    assert row.state == RunState.FAILED
    assert "There is no model 'one'" in row.error and "Traceback" not in row.error


@pytest.mark.django_db
def test_a_model_that_vanishes_while_it_is_measured_is_reported(settings: Any, alice: User) -> None:
    models = Path(settings.KOMA_MODELS_DIR)
    write_tagger(models / "one")
    job = model_actions.measure(name="one", task="tags", by=alice)
    shutil.rmtree(models / "one")
    jobs.run_model_job(jobs.NETWORKS if job.act == ModelJob.Act.MEASURE else jobs.FILES)
    job.refresh_from_db()
    assert job.state == RunState.FAILED
    assert "There is no model 'one'" in job.error
