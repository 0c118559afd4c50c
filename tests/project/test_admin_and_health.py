"""The first admin, login, headers, /healthz and the status page."""

from __future__ import annotations

import io
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory
from django.utils import timezone
from redis import Redis

from annotate.backends.runtime import cuda_check
from ingest.models import Collection, PipelineRun, StageRun
from project.admin_user import first_admin
from project.receiving import STRANGER_MAX, BoundedUpload
from tests.conftest import PASSWORD
from tests.pages import html_of


def test_the_first_admin_is_made_once_with_a_random_kept_password(db: None, tmp_path: Path) -> None:
    password_file = tmp_path / "admin_password"
    created = first_admin(password_file)
    assert created is not None
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert first_admin(password_file) == created
    assert User.objects.get().check_password(created[1])
    assert len(created[1]) >= 20


def test_a_changed_password_is_not_announced(db: None, tmp_path: Path) -> None:
    created = first_admin(tmp_path / "admin_password")
    assert created is not None
    admin = User.objects.get()
    admin.set_password(PASSWORD)
    admin.save()
    assert first_admin(tmp_path / "admin_password") is None


def test_create_admin_prints_a_password_that_works(db: None) -> None:
    out = io.StringIO()
    call_command("create_admin", "ann", stdout=out)
    assert Client().login(username="ann", password=out.getvalue().split("Password: ")[1].strip())
    with pytest.raises(CommandError, match="ann"):
        call_command("create_admin", "ann")


def test_create_admin_refuses_a_weak_password(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("123\n"))
    with pytest.raises(CommandError, match="short"):
        call_command("create_admin", "ann", "--password-stdin")
    assert not User.objects.exists()


def test_nobody_logged_in_gets_the_login_page_and_may_log_in(bob: User, client: Client) -> None:
    answer = client.get("/status/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/")
    page = client.get("/login/")
    assert page.status_code == 200
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe-inline" not in page["Content-Security-Policy"].split("style-src-attr")[0]
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    answer = client.post("/login/", {"username": "bob", "password": PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == "/"
    assert client.post("/login/", {"username": "bob", "password": "wrong"}).status_code in (200, 302)


def test_no_template_holds_an_inline_script_or_handler() -> None:
    root = Path(__file__).resolve().parents[2] / "templates"
    for path in root.rglob("*.html"):
        text = re.sub(r"{% comment %}.*?{% endcomment %}", "", path.read_text(encoding="utf-8"), flags=re.S)
        assert not re.search(r"<script(?![^>]*\b(src=|type=\"application/json\"))", re.sub(r"{%.*?%}", "", text)), path
        assert not re.search(r"<[^>]*\son[a-z]+=", text), path
        assert not re.search(r"<style|javascript:|hx-on|//cdn|https?://[^\"]*\.js", text), path


def test_healthz_needs_no_login_and_tells_no_details(db: None, client: Client, queues: str, settings: Any) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    health = answer.json()
    assert health.pop("networks") in ("not tried yet", "CPU", "GPU")
    assert health == {"ok": True, "db": "ok", "redis": "ok", "disk": "ok"}
    settings.KOMA_DISK_RESERVE_BYTES = 2**60
    assert client.get("/healthz").json()["disk"] == "bad"


def test_healthz_says_when_redis_is_gone(db: None, client: Client, settings: Any, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    answer = client.get("/healthz")
    assert answer.status_code == 503
    health = answer.json()
    assert (health["ok"], health["db"], health["redis"], health["disk"]) == (False, "ok", "bad", "ok")


def test_the_status_page_is_for_admins(as_alice: Client, as_bob: Client, queues: str) -> None:
    page = html_of(as_alice.get("/status/"))
    assert "Queue gpu" in page
    assert "etworks run on the" in page
    assert as_bob.get("/status/").status_code == 403


def test_the_status_page_says_whether_cuda_starts_and_where_stages_ran(
    as_alice: Client, queues: str, collection: Collection
) -> None:
    run = PipelineRun.objects.create(collection=collection, code_version="1")
    StageRun.objects.create(
        run=run, stage="detect", order=1, queue="gpu", device="GPU (CUDA)", started_at=timezone.now()
    )
    page = html_of(as_alice.get("/status/"))
    assert "Networks run on" in page or "networks run on the GPU" in page
    assert "Last device of Find faces</th>" in page
    assert re.search(r"GPU \(CUDA\) · <time datetime=\"20[^>]*>20", page)
    assert "CPU" in page
    assert as_alice.get("/healthz").json()["networks"] in ("CPU", "GPU")


def test_a_card_that_cannot_be_used_is_no_fine_part(
    as_alice: Client, queues: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered = (cuda_check.CUDA, "CPUExecutionProvider")
    for started, words in ((False, "slower"), (True, "OK")):
        devices = cuda_check.Devices("1", offered, started, cuda_check.words_of(offered, started=started))
        monkeypatch.setattr(cuda_check, "devices", lambda devices=devices: devices)
        row = html_of(as_alice.get("/status/")).split(">Networks</th>")[1].split("</td>")[0]
        assert row.endswith(words)


def test_a_form_that_is_too_large_is_refused_with_its_size_and_the_limit(client: Client, db: None) -> None:
    answer = client.post("/login/", {"username": "x" * (STRANGER_MAX + 1), "password": "y"})
    assert answer.status_code == 400
    handler = BoundedUpload()
    handler.request = RequestFactory().get("/")
    with pytest.raises(MultiPartParserError, match=r"This form is 2.0 MB; at most 1.0 MB is accepted"):
        handler.handle_raw_input(None, {}, 2_000_000, "x")


def test_a_broken_model_folder_is_named_on_the_status_page(as_alice: Client, queues: str, settings: Any) -> None:
    (settings.KOMA_MODELS_DIR / "wd-broken").mkdir(parents=True)
    (settings.KOMA_MODELS_DIR / "wd-broken" / "koma.json").write_text("{")
    assert "wd-broken/koma.json" in html_of(as_alice.get("/status/"))


def test_the_status_page_works_without_redis(as_alice: Client, settings: Any, tmp_path: Path) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    assert "Redis does not answer" in html_of(as_alice.get("/status/"))


def test_the_offline_guard_stops_connections_to_other_machines(redis_url: str) -> None:
    import socket

    from tests.offline import ReachedOutside

    with pytest.raises(ReachedOutside):
        socket.create_connection(("192.0.2.1", 80), timeout=1)
    with pytest.raises(ReachedOutside):
        socket.getaddrinfo("example.org", 80)
    with Redis.from_url(redis_url) as server:
        assert server.ping()
