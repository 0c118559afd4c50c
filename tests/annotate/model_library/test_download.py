"""Downloads over a real connection: whole, resumed, damaged, gone, stopped; nothing half-done looks installed."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from annotate.backends.model_files import folder, registry
from annotate.backends.model_files.catalogue import File, Model
from annotate.backends.model_files.download import download, is_installed
from annotate.backends.model_files.remote import Hub
from ingest.errors import BadInput, Cancelled, Conflict, KomaError
from tests.annotate.hub_server import COMMIT, FakeHub, serving
from tests.annotate.model_library.conftest import MODEL, REPOSITORY, TAGS, WEIGHTS

BYTES = b"\x08\x08" + WEIGHTS


def nothing_installed(models):
    return registry.installed(models) == [] and not is_installed(models, MODEL) and not (models / MODEL.name).exists()


def test_a_model_arrives_whole_with_its_hashes_commit_and_licence(hub, client, tmp_path):
    seen = []
    done = download(MODEL, client, tmp_path, report=lambda *state: seen.append(state))
    assert (done.path / "model.onnx").read_bytes() == BYTES
    assert (done.path / "selected_tags.csv").read_bytes() == TAGS
    card = json.loads((done.path / "koma.json").read_text())
    assert card["family"] == "wd"
    assert (card["revision"], card["licence"], card["repository"]) == (COMMIT, "mit", REPOSITORY)
    assert card["files"]["model.onnx"]["sha256"] == hashlib.sha256(BYTES).hexdigest()
    assert card["files"]["selected_tags.csv"]["told_by"] == "hub"
    assert sorted(path.name for path in done.path.iterdir()) == ["koma.json", "model.onnx", "selected_tags.csv"]
    assert [model.name for model in registry.installed(tmp_path, task="tags")] == ["tiny"]
    assert is_installed(tmp_path, MODEL)
    total = len(BYTES) + len(TAGS)
    assert seen[-1][:2] == (total, total)
    assert [state[0] for state in seen] == sorted(state[0] for state in seen)
    assert {model.state for model in folder.verify(tmp_path, "tiny")} == {"fine"}


def test_a_connection_that_is_cut_goes_on_where_it_was(hub, client, tmp_path):
    hub.cut_after = [100_000, 1, 50_000]
    done = download(MODEL, client, tmp_path)
    assert (done.path / "model.onnx").read_bytes() == BYTES
    ranges = [requested for method, path, requested, _ in hub.asked if path.startswith("cdn/")]
    assert ranges == ["", "bytes=100000-", "bytes=100001-", "bytes=150001-"]


def test_what_an_earlier_try_fetched_is_not_fetched_again(hub, client, tmp_path):
    hub.cut_after = [100_000] + [0] * 20
    with pytest.raises(KomaError, match="disconnected") as failed:
        download(MODEL, client, tmp_path)
    assert not failed.value.permanent
    assert nothing_installed(tmp_path)
    hub.cut_after = []
    hub.asked.clear()
    done = download(MODEL, client, tmp_path)
    assert (done.path / "model.onnx").read_bytes() == BYTES
    assert done.kept_bytes == 100_000
    assert [requested for _, path, requested, _ in hub.asked if path.startswith("cdn/")] == ["bytes=100000-"]


def test_parts_of_another_version_are_thrown_away(hub, client, tmp_path):
    hub.cut_after = [100_000] + [0] * 20
    with pytest.raises(KomaError):
        download(MODEL, client, tmp_path)
    hub.cut_after = []
    newer = hub.add(REPOSITORY, "model.onnx", b"\x08\x09" + WEIGHTS[::-1])
    done = download(MODEL, client, tmp_path)
    assert (done.path / "model.onnx").read_bytes() == newer
    assert done.kept_bytes == 0


def test_a_server_that_cannot_resume_sends_it_all_again(hub, client, tmp_path):
    hub.no_ranges = True
    hub.cut_after = [100_000]
    seen = []
    done = download(MODEL, client, tmp_path, report=lambda *state: seen.append(state[0]))
    assert (done.path / "model.onnx").read_bytes() == BYTES
    assert seen[-1] == len(BYTES) + len(TAGS)


def test_bytes_with_another_hash_than_told_are_refused_and_thrown_away(hub, client, tmp_path):
    hub.wrong_hash = True
    with pytest.raises(BadInput, match="the hub states 000000000000"):
        download(MODEL, client, tmp_path)
    assert nothing_installed(tmp_path)
    assert not list(tmp_path.glob(".incoming/tiny/*.part"))


def test_a_hash_pinned_in_the_catalogue_must_match(hub, client, tmp_path):
    pinned = replace(MODEL, files=(File("model.onnx", "model.onnx", sha256="f" * 64), *MODEL.files[1:]))
    with pytest.raises(BadInput, match="than the catalogue pins"):
        download(pinned, client, tmp_path)
    assert hub.sent["bytes"] == 0
    digest = hashlib.sha256(BYTES).hexdigest()
    right = replace(MODEL, files=(File("model.onnx", "model.onnx", sha256=digest), *MODEL.files[1:]))
    assert download(right, client, tmp_path).files["model.onnx"]["told_by"] == "catalogue"


def test_a_file_that_is_gone_is_named(hub, client, tmp_path):
    del hub.files[REPOSITORY]["lists/tags.csv"]
    with pytest.raises(BadInput, match=r"has no lists/tags\.csv in somebody/tiny-tagger"):
        download(MODEL, client, tmp_path)
    assert nothing_installed(tmp_path)


def test_a_busy_server_is_asked_again_and_one_that_is_away_is_named(hub, client, tmp_path):
    hub.busy = 3
    assert download(MODEL, client, tmp_path).path.is_dir()
    away = Hub("http://127.0.0.1:9", timeout_s=1, wait_s=0.01)
    with pytest.raises(KomaError, match="cannot be reached") as failed:
        download(MODEL, away, tmp_path)
    assert not failed.value.permanent


def test_a_stopped_download_keeps_its_parts_and_is_not_installed(hub, client, tmp_path):
    with pytest.raises(Cancelled):
        download(MODEL, client, tmp_path, stop=lambda: True)
    assert nothing_installed(tmp_path)
    assert download(MODEL, client, tmp_path).path.is_dir()


def test_stop_is_heard_while_the_hub_is_asked_about_files(hub, client, tmp_path):
    requests = []
    with pytest.raises(Cancelled):
        download(MODEL, client, tmp_path, stop=lambda: bool(requests.append(len(hub.asked)) or len(hub.asked) >= 2))
    assert requests == [0, 1, 2]  # before each file, and the third was not asked for
    assert nothing_installed(tmp_path)


def test_stop_is_heard_while_a_busy_hub_is_asked_again(hub, client, tmp_path):
    hub.busy = 100
    with pytest.raises(Cancelled):
        download(MODEL, client, tmp_path, stop=lambda: len(hub.asked) >= 1)
    assert len(hub.asked) == 1


def test_stop_is_heard_while_hashes_are_compared_and_the_bytes_stay(hub, client, tmp_path):
    fetched = []

    def all_there():
        return [path.stat().st_size for path in tmp_path.rglob("model.onnx.part")] == [len(BYTES)]

    with pytest.raises(Cancelled, match="hashes"):
        download(MODEL, client, tmp_path, report=lambda *state: fetched.append(state[0]), stop=all_there)
    assert nothing_installed(tmp_path)
    assert download(MODEL, client, tmp_path).kept_bytes == len(BYTES)


def test_a_server_that_stalls_is_given_up_in_time(hub, tmp_path):
    hub.pause = threading.Event()
    slow = Hub(hub.base, timeout_s=0.1, wait_s=0.01)
    try:
        with pytest.raises(KomaError, match="timed out"):
            download(MODEL, slow, tmp_path)
    finally:
        hub.pause.set()
    assert nothing_installed(tmp_path)


def test_one_connection_serves_a_whole_download_with_its_redirects(hub, client, tmp_path):
    download(MODEL, client, tmp_path)
    assert len(hub.asked) == 7  # what three files are, the bytes of two with a redirect between, the licence
    assert hub.connections == 1


def test_a_proxy_of_the_environment_is_not_asked(hub, client, tmp_path, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert download(MODEL, client, tmp_path).path.is_dir()


def stop_after(seconds):
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def test_stop_is_heard_while_a_server_sends_nothing(hub, tmp_path):
    hub.pause = threading.Event()
    patient = Hub(hub.base, timeout_s=15, wait_s=0.01)
    began = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            download(MODEL, patient, tmp_path, stop=stop_after(1.0))
    finally:
        hub.pause.set()
    assert time.monotonic() - began < 8
    assert nothing_installed(tmp_path)


def test_stop_is_heard_while_a_server_takes_no_connection(tmp_path):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = []
        for _ in range(4):  # more than its queue holds: further ones get no answer
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(full.getsockname())
            waiting.append(connection)
        patient = Hub(f"http://127.0.0.1:{full.getsockname()[1]}", timeout_s=15, wait_s=0.01)
        began = time.monotonic()
        with pytest.raises(Cancelled):
            download(MODEL, patient, tmp_path, stop=stop_after(1.0))
        assert time.monotonic() - began < 8
        for connection in waiting:
            connection.close()


def test_two_at_once_do_not_write_into_each_other(hub, client, tmp_path):
    with folder.incoming(tmp_path, "tiny"), pytest.raises(Conflict, match="by another process"):
        download(MODEL, client, tmp_path)


def test_a_newer_version_replaces_the_installed_one_whole(hub, client, tmp_path):
    first = download(MODEL, client, tmp_path)
    (first.path / "stray.onnx").write_bytes(b"old")
    newer = hub.add(REPOSITORY, "model.onnx", b"\x08\x09" + WEIGHTS)
    again = download(MODEL, client, tmp_path)
    assert (again.path / "model.onnx").read_bytes() == newer
    assert not (again.path / "stray.onnx").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".incoming", "tiny"]
    assert [path.name for path in (tmp_path / ".incoming").iterdir()] == ["tiny.lock"]


def test_a_disk_without_room_is_reported_before_anything_is_fetched(hub, client, tmp_path):
    with pytest.raises(KomaError, match="are reserved"):
        download(MODEL, client, tmp_path, reserve=2**60)
    assert hub.sent["bytes"] == 0


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, tmp_path):
    hub.token = "secret-word"
    with pytest.raises(BadInput, match="KOMA_HUB_TOKEN") as refused:
        download(MODEL, Hub(hub.base, wait_s=0.01), tmp_path)
    assert "secret-word" not in str(refused.value)
    elsewhere = FakeHub(files=hub.files)
    with serving(elsewhere):
        hub.cdn = elsewhere.base
        download(MODEL, Hub(hub.base, token="secret-word", wait_s=0.01), tmp_path)
        assert elsewhere.asked
        assert all(values == "" for *_, values in elsewhere.asked)
    card = (tmp_path / "tiny" / "koma.json").read_text()
    assert "secret-word" not in card


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_leads_to_web_addresses_only(hub, client, tmp_path, address):
    hub.redirect = address
    with pytest.raises(KomaError):
        download(MODEL, client, tmp_path)
    assert nothing_installed(tmp_path)


def test_a_repository_without_a_list_is_taken_whole_but_for_unsafe_files(hub, client, tmp_path):
    repository = "somebody/captioner"
    for name in ("config.json", "merges.txt", "pytorch_model.bin", "model.ckpt", "README.md", "koma.json"):
        hub.add(repository, name, b"{}")
    header = b"{}      "
    hub.add(repository, "model.safetensors", len(header).to_bytes(8, "little") + header)
    done = download(Model("captioner", "caption", "wd", repository, ()), client, tmp_path)
    assert sorted(done.files) == ["config.json", "merges.txt", "model.safetensors"]


def test_a_pickle_under_a_safe_name_is_refused(hub, client, tmp_path):
    hub.add(REPOSITORY, "model.onnx", b"PK\x03\x04" + WEIGHTS)
    with pytest.raises(BadInput, match="may run code"):
        download(MODEL, client, tmp_path)
    assert nothing_installed(tmp_path)


def test_arrays_with_python_objects_are_refused(hub, client, tmp_path):
    for values, fine in ((np.arange(4.0), True), (np.array([{"a": 1}], dtype=object), False)):
        np.savez(tmp_path / "made.npz", x=values)
        hub.add(REPOSITORY, "samples.npz", (tmp_path / "made.npz").read_bytes())
        model = replace(MODEL, files=(File("samples.npz", "samples.npz"),))
        if fine:
            assert download(model, client, tmp_path / "models").path.is_dir()
        else:
            with pytest.raises(BadInput, match="Python objects"):
                download(model, client, tmp_path / "models")
