"""Attacks on the models folder: hubs that lie, archives and folders that lead elsewhere, full disks, two at once."""

from __future__ import annotations

import json
import os
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from annotate.backends.model_files import catalogue, folder, registry
from annotate.backends.model_files.catalogue import File, Model
from annotate.backends.model_files.download import download
from annotate.backends.model_files.importing import import_model
from annotate.backends.model_files.remote import Hub, following
from annotate.model_library import model_actions as acts
from annotate.model_library import model_jobs as running
from annotate.models import ModelJob
from ingest.errors import BadInput, Conflict, KomaError
from ingest.models import RunState
from tests.annotate.hub_server import FakeHub, serving
from tests.annotate.model_library.conftest import MODEL, REPOSITORY, TAGS, WEIGHTS
from tests.pages import html_of
from tests.safety.test_outages import small_disk

__all__ = ["small_disk"]
ONNX = b"\x08\x08" + bytes(range(256)) * 20
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DEEP = b'{"a":' * 50_000
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(answers: dict[str, Answer], *, reason: str = "") -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """A server that gives `answers` by path (status, headers, body); its address, and (verb, path, Authorization)."""
    requests: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append((self.command, self.path, self.headers.get("Authorization", "")))
            status, headers, body = answers.get(self.path, (404, {}, b""))
            self.send_response(status, reason or None)
            for name, value in headers.items():
                self.send_header(name, value)
            if "Content-Length" not in headers:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def client(base: str, token: str = "") -> Hub:
    return Hub(base, token=token, timeout_s=5, wait_s=0.01)


ONE = Model("tiny", "tags", "wd", REPOSITORY, (File("model.onnx", "model.onnx"),))
PATH = f"/{REPOSITORY}/resolve/main/model.onnx"


@pytest.fixture()
def hub(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    fake = FakeHub()
    fake.add(REPOSITORY, "model.onnx", b"\x08\x08" + WEIGHTS)
    fake.add(REPOSITORY, "lists/tags.csv", TAGS)
    monkeypatch.setitem(catalogue.CATALOGUE, MODEL.name, MODEL)
    with serving(fake):
        settings.KOMA_HUB_URL = fake.base
        yield fake


@pytest.fixture()
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "wd-here"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(ONNX)
    (folder / "selected_tags.csv").write_bytes(TAGS)
    return folder


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


# --- Hubs that lie ----------------------------------------------------------------------------------------------------
def test_a_repository_that_moved_to_another_host_takes_no_token_along(tmp_path: Path) -> None:
    """Neither for the question what a file is, nor for its bytes."""
    headers = {"X-Repo-Commit": COMMIT, "ETag": '"x"'}
    at_commit = PATH.replace("/main/", f"/{COMMIT}/")
    with answering({PATH: (200, headers, ONNX), at_commit: (200, headers, ONNX)}) as (host, asked_there):
        moved: dict[str, Answer] = {p: (307, {"Location": f"{host}{p}"}, b"") for p in (PATH, at_commit)}
        with answering(moved) as (here, asked_here):
            done = download(ONE, client(here, "secret-word"), tmp_path)
    assert (done.path / "model.onnx").read_bytes() == ONNX
    assert {token for *_, token in asked_here} == {"Bearer secret-word"}
    assert {verb for verb, *_ in asked_there} == {"HEAD", "GET"}
    assert {token for *_, token in asked_there} == {""}
    assert "secret-word" not in (done.path / "koma.json").read_text()


@pytest.mark.parametrize(
    ("to", "keeps"),
    [
        ("https://hub.example/y", True), ("https://hub.example:8443/y", False), ("https://cdn.hub.example/y", False),
        ("https://hub.example.evil/y", False), ("https://x@hub.example/y", False), ("http://hub.example/y", None),
        ("file:///etc/passwd", None), ("ftp://hub.example/y", None),
    ],
)  # fmt: skip
def test_the_token_stays_with_its_host_and_nothing_leads_down_to_http(to: str, keeps: bool | None) -> None:
    hub = client("https://hub.example", "secret-word")
    if keeps is None:
        with pytest.raises(BadInput, match="is refused"):
            following("https://hub.example/x", to)
        return
    headers = hub.headers_for(following("https://hub.example/x", to))
    assert ("Authorization" in headers) == keeps
    assert headers["User-Agent"] == "koma"


@pytest.mark.parametrize("size", ["9" * 400, "9" * 5000, "-5", "1e9", "0x10", "x"])
def test_a_size_that_is_none_is_refused_with_a_message(tmp_path: Path, size: str) -> None:
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": size}
    with answering({PATH: (200, headers, b"")}) as (base, _), pytest.raises(BadInput, match="does not state the size"):
        download(ONE, client(base), tmp_path)


@pytest.mark.parametrize("size", ["9" * 400, "-5", "1e9", "0x10", "x", ""])
@pytest.mark.parametrize("linked", ["", " ", "5"])
def test_an_answer_with_a_length_that_is_none_is_asked_for_once_and_refused_with_a_message(
    tmp_path: Path, size: str, linked: str
) -> None:
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": linked, "Content-Length": size}
    refused = r"model\.onnx: .* does not respond like a model hub \(.*Content-Length"
    with answering({PATH: (200, headers, b"")}) as (base, requests), pytest.raises(BadInput, match=refused):
        download(ONE, client(base), tmp_path)
    assert len(requests) == 1


def test_a_size_that_no_disk_holds_is_reported_before_a_byte_is_asked_for(tmp_path: Path) -> None:
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": "9" * 15}
    with answering({PATH: (200, headers, b"")}) as (base, requests), pytest.raises(KomaError, match="GB free"):
        download(ONE, client(base), tmp_path)
    assert [verb for verb, *_ in requests] == ["HEAD"]


def test_a_hub_that_sends_more_than_it_told_is_stopped_there(tmp_path: Path) -> None:
    headers = {"X-Repo-Commit": COMMIT, "X-Linked-Size": "1000"}
    answers: dict[str, Answer] = {PATH: (200, headers, b""), PATH.replace("/main/", f"/{COMMIT}/"): (200, {}, ONNX)}
    with answering(answers) as (base, _), pytest.raises(BadInput, match=r"sent more of model\.onnx than it stated"):
        download(ONE, client(base), tmp_path)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.part")) <= 1000
    assert registry.installed(tmp_path) == []


@pytest.mark.parametrize(
    "body", [DEEP, b"[" * 100_000, b"{}", b'[{"type": "file"}]', b'[{"type": "file", "path": {"a": 1}}]', b"\xff\xfe",
             b'[{"type": "file", "path": "../../evil.onnx"}, {"type": "file", "path": "koma.json"}]',
             json.dumps([{"type": "file", "path": f"{n}.onnx"} for n in range(5000)]).encode()],
    ids=range(8),
)  # fmt: skip
def test_a_list_of_files_that_is_nonsense_is_refused_with_a_message(tmp_path: Path, body: bytes) -> None:
    model = Model("captioner", "caption", "wd", "somebody/captioner", ())
    with answering({"/api/models/somebody/captioner/tree/main": (200, {}, body)}) as (base, _), pytest.raises(BadInput):
        download(model, client(base), tmp_path)
    assert not list(tmp_path.rglob("*.onnx"))


def test_an_answer_without_an_end_is_given_up(tmp_path: Path) -> None:
    model = Model("captioner", "caption", "wd", "somebody/captioner", ())
    endless = b"[" + b"1," * (5 << 20)
    with (
        answering({"/api/models/somebody/captioner/tree/main": (200, {}, endless)}) as (base, _),
        pytest.raises(BadInput, match=r"more than 8\.4 MB"),
    ):
        download(model, client(base), tmp_path)


@pytest.mark.parametrize(
    "body", [DEEP, b"[]", b'{"cardData": {"license": {"a": 1}}}', b'{"cardData": {"license": "a\\u0000b"}}']
)
def test_a_licence_that_is_nonsense_is_no_licence(body: bytes) -> None:
    with answering({f"/api/models/{REPOSITORY}": (200, {}, body)}) as (base, _):
        assert client(base).licence(REPOSITORY) == ""


@pytest.mark.django_db
def test_what_a_hub_says_of_its_refusal_comes_out_as_one_line_of_text(hub: FakeHub, alice: Any, settings: Any) -> None:
    """PostgreSQL takes no zero byte, and a terminal obeys what begins with an escape."""
    with answering({PATH: (418, {}, b"")}, reason="\x1b[31m\0teapot\x9b") as (base, _):
        settings.KOMA_HUB_URL = base
        job = acts.download(name="tiny", by=alice)
        assert running.execute(job.pk) == RunState.FAILED
        job.refresh_from_db()
        assert "418" in job.error and job.error.isprintable()
        with pytest.raises(CommandError) as refused:
            call_command("models", "download", "tiny", stdout=StringIO(), stderr=StringIO())
        assert str(refused.value).isprintable()


# --- Archives and folders ---------------------------------------------------------------------------------------------
def test_names_that_differ_by_capital_letters_alone_never_write_over_each_other(tmp_path: Path) -> None:
    """On a disk that does not tell them apart the second would replace the first, or the card."""
    archive = zipped(
        tmp_path / "wd-x.zip",
        {"model.onnx": ONNX, "MODEL.ONNX": b"\x08evil", "selected_tags.csv": TAGS, "Koma.JSON": b"{}"},
    )
    imported = import_model(archive, tmp_path / "models")
    assert sorted(path.name for path in imported.path.iterdir()) == ["koma.json", "model.onnx", "selected_tags.csv"]
    assert (imported.path / "model.onnx").read_bytes() == ONNX
    assert sum("upper and lower case" in line for line in imported.left_out) == 2


@pytest.mark.parametrize("name", ["tiny.lock", "x.old-1", "upload-1.zip"])
def test_names_of_what_is_being_installed_are_taken(source: Path, tmp_path: Path, name: str) -> None:
    """A model `tiny.lock` would keep `tiny` from being installed; one of the other names would be deleted."""
    with pytest.raises(BadInput, match="is reserved"):
        import_model(source, tmp_path / "models", name=name)


def test_a_model_that_came_before_such_names_were_taken_can_still_be_removed(source: Path, tmp_path: Path) -> None:
    import_model(source, tmp_path / "models", name="mine")
    (tmp_path / "models" / "mine").rename(tmp_path / "models" / "upload-mine")
    assert folder.remove(tmp_path / "models", "upload-mine") > 0
    assert not (tmp_path / "models" / "upload-mine").exists()


@pytest.mark.django_db
def test_files_whose_names_are_no_text_are_left_out_by_a_harmless_name(
    source: Path, settings: Any, alice: Any, tmp_path: Path
) -> None:
    """No database takes half a letter, and a terminal obeys an escape."""
    for name in (b"caf\xe9.txt", b"\x1b[2J.py", "\u202egnp.exe".encode(), b"a\nb.pt"):
        (source / os.fsdecode(name)).write_bytes(b"x")
    settings.KOMA_LIBRARY_DIRS = [tmp_path]
    job = acts.import_from_library(root=0, relative="wd-here", name="", family="", by=alice)
    assert running.execute(job.pk) == RunState.DONE
    job.refresh_from_db()
    assert job.message.count("its name may hold only") == 4
    assert job.message.isprintable()
    out = StringIO()
    call_command("models", "import", str(source), "--name", "again", stdout=out, stderr=StringIO())
    assert all(line.isprintable() for line in out.getvalue().splitlines())


@pytest.mark.parametrize(
    "options",
    [{"a": [[[[]]]] * 9}, {"x" * 1000: 1}, {"prefix": "y" * 10_000}, {f"k{n}": n for n in range(5000)}, "text", [1]],
    ids=range(6),
)
def test_of_a_card_from_outside_only_a_few_plain_settings_are_kept(source: Path, tmp_path: Path, options: Any) -> None:
    nested: Any = 1
    for _ in range(400):  # json can read it, but not write it again
        nested = [nested]
    card = {"family": "wd", "options": options, "more": nested, "licence": "MIT\x1b[31m", "revision": "v" * 999}
    if isinstance(options, dict):
        card["options"] = {**options, "deep": nested, "prefix": options.get("prefix", "kind")}
    (source / "koma.json").write_text(json.dumps(card))
    card = json.loads((import_model(source, tmp_path / "models").path / "koma.json").read_text())
    assert len(card["options"]) <= 32 and "deep" not in card["options"]
    assert len(json.dumps(card)) < 5000
    assert card["licence"] == ""


@pytest.mark.parametrize("text", ['{"a":' * 5000, "[]", "\xff", '{"family": "wd"', "9" * 5000])
@pytest.mark.django_db
def test_one_broken_description_hides_no_other_model_breaks_no_page_and_can_be_removed(
    source: Path, collection: Any, as_alice: Client, queues: str, settings: Any, text: str
) -> None:
    models = Path(settings.KOMA_MODELS_DIR)
    import_model(source, models)
    (models / "broken").mkdir()
    (models / "broken" / "koma.json").write_bytes(text.encode("latin-1"))
    (models / "alone.onnx").write_bytes(ONNX)
    (models / "alone.json").write_bytes(text.encode("latin-1"))
    assert [model.name for model in registry.installed(models, task="tags")] == ["wd-here"]
    with pytest.raises(BadInput, match="description"):
        registry.find("broken", models, task="tags")
    for address in ("/models/", "/models/import/", "/quality/", "/status/", *(
        f"/c/{collection.pk}/{page}" for page in ("models/", "runs/", "compare/", "export/", "")
    )):  # fmt: skip
        assert as_alice.get(address).status_code == 200, address
    page = html_of(as_alice.get("/models/"))
    assert page.count("the model&#x27;s description") >= 2
    for name in ("broken", "alone"):
        as_alice.post("/models/act/", {"act": "remove", "name": name, "sure": "on"})
        assert not list(models.glob(f"{name}*"))


# --- Full disks -------------------------------------------------------------------------------------------------------
def fill(path: Path) -> None:
    """Leave no room on the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass


def test_a_disk_that_fills_up_while_a_model_is_fetched_is_named_and_the_rest_comes_later(
    hub: FakeHub, small_disk: Path, tmp_path: Path
) -> None:
    small = Model("tiny", "tags", "wd", "somebody/small", (File("model.onnx", "model.onnx"),))
    hub.add("somebody/small", "model.onnx", b"\x08" * 150_000)
    hub.cut_after = [50_000]
    models, filler = small_disk / "models", small_disk / "filler"

    def report(done: int, total: int, file: str) -> None:
        if done >= 50_000:
            fill(filler)

    with pytest.raises(KomaError, match=r"cannot be written.*No space left") as failed:
        download(small, client(hub.base), models, report=report)
    assert not failed.value.permanent
    assert "hub" not in failed.value.message and registry.installed(models) == []
    filler.unlink()
    assert download(small, client(hub.base), models).kept_bytes >= 50_000


@pytest.mark.django_db
def test_a_disk_that_fills_up_while_a_model_is_imported_is_named_and_nothing_is_left_on_it(
    source: Path, small_disk: Path, settings: Any, alice: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "model.onnx").write_bytes(b"\x08" * 150_000)
    settings.KOMA_MODELS_DIR = small_disk / "models"
    settings.KOMA_LIBRARY_DIRS = [tmp_path]
    job = acts.import_from_library(root=0, relative="wd-here", name="", family="", by=alice)
    monkeypatch.setattr(folder, "check_space", lambda *_, **__: fill(small_disk / "filler"))
    assert running.execute(job.pk) == RunState.FAILED
    job.refresh_from_db()
    assert "No space left" in job.error and "Traceback" not in job.error
    assert not [path for path in (small_disk / "models").rglob("*") if path.is_file() and path.stat().st_size]


# --- Two at once ------------------------------------------------------------------------------------------------------
def test_of_two_who_remove_a_model_at_once_one_does_and_the_other_is_reported(source: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for _ in range(20):
        import_model(source, models)
        begin = threading.Barrier(2)

        def remove(begin: threading.Barrier = begin) -> int | str:
            begin.wait()
            try:
                return folder.remove(models, "wd-here")
            except (BadInput, Conflict) as error:
                return error.message

        with ThreadPoolExecutor(2) as pool:
            freed = [result.result() for result in [pool.submit(remove), pool.submit(remove)]]
        assert [isinstance(result, int) for result in freed].count(True) == 1, freed
        assert registry.installed(models) == []


def test_of_two_who_import_and_remove_at_once_nothing_half_done_is_left(source: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    for _ in range(15):
        begin = threading.Barrier(3)

        def action(what: Any, begin: threading.Barrier = begin) -> None:
            begin.wait()
            try:
                what()
            except (BadInput, Conflict):
                pass

        with ThreadPoolExecutor(3) as pool:
            for done in [
                pool.submit(action, lambda: import_model(source, models)),
                pool.submit(action, lambda: import_model(source, models)),
                pool.submit(action, lambda: folder.remove(models, "wd-here")),
            ]:
                done.result()
        for model in registry.installed(models):
            assert {file.state for file in folder.verify(models, model.name)} == {"fine"}


def test_a_model_that_is_being_fetched_is_not_removed_and_what_was_fetched_can_be_given_up(
    hub: FakeHub, tmp_path: Path
) -> None:
    hub.cut_after = [100_000] + [0] * 20
    with pytest.raises(KomaError):
        download(MODEL, client(hub.base), tmp_path)
    with folder.incoming(tmp_path, "tiny"), pytest.raises(Conflict, match="by another process"):
        folder.remove(tmp_path, "tiny")
    assert folder.remove(tmp_path, "tiny") >= 100_000
    assert not list(tmp_path.rglob("*.part"))
    with pytest.raises(BadInput, match="is not installed"):
        folder.remove(tmp_path, "tiny")


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_ask_for_the_same_model_at_once_start_one_job(
    hub: FakeHub, alice: Any, as_alice: Client, queues: str
) -> None:
    from django.db import connection

    begin = threading.Barrier(2)

    def ask() -> str:
        try:
            begin.wait()
            acts.download(name="tiny", by=alice)
        except Conflict as error:
            return error.message
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as pool:
        results = [future.result() for future in [pool.submit(ask), pool.submit(ask)]]
    assert sorted(map(bool, results)) == [False, True]
    assert ModelJob.objects.count() == 1
    as_alice.post("/models/act/", {"act": "remove", "name": "tiny", "sure": "on"})
    assert ModelJob.objects.get().state == RunState.QUEUED


def test_a_models_folder_that_cannot_be_written_is_reported(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    import_model(source, models)

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied", str(models))

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(KomaError, match="cannot be removed"):
        folder.remove(models, "wd-here")


@pytest.mark.django_db
def test_descriptions_of_any_nonsense_break_no_page_and_read_no_other_file(
    collection: Any, as_alice: Client, settings: Any, queues: str
) -> None:
    models = Path(settings.KOMA_MODELS_DIR)
    files = {
        "../../etc/passwd": {"sha256": 5, "size": "x"},
        "/etc/passwd": 5,
        "x" * 5000: {},
        "model.onnx": {"sha256": [1]},
    }
    cards: dict[str, dict[str, Any]] = {
        "one": {"family": "wd", "licence": {"a": 1}, "files": files, "repository": "javascript:alert(1)"},
        "two": {"family": ["wd"]}, "three": {"family": "real_esrgan", "factor": 10**300},
        "four": {"family": "builtin_faces", "licence": "<script>alert(1)</script>", "options": 5},
        "blip2-opt-2.7b": {"family": "blip2", "files": {"x" * 5000: {}, "/etc/passwd": {}}},
        "isnetis": {"family": "isnet", "files": [1]},
    }  # fmt: skip
    for name, card in cards.items():
        (models / name).mkdir(parents=True)
        (models / name / "model.onnx").write_bytes(b"x")
        (models / name / "koma.json").write_text(json.dumps(card))
    for address in ("/models/", "/quality/", f"/c/{collection.pk}/models/", f"/c/{collection.pk}/export/"):
        answer = as_alice.get(address)
        assert answer.status_code == 200, address
        assert b"<script>alert" not in answer.content and b'href="javascript' not in answer.content
    states = {file.name: file.state for file in folder.verify(models, "one")}
    assert states == {
        "model.onnx": "damaged",
        "../../etc/passwd": "missing",
        "/etc/passwd": "missing",
        "x" * 5000: "missing",
    }
