"""Environment variables: what is understood, and what is refused by name."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from project import env
from project.env import SettingError

ROOT = Path(__file__).resolve().parents[2]
GOOD_KEY = "9f8Jq2mZx7Lw4Rv1Tb6Nc3Pd5Sg0HyKuEaVoXiQtBrMzWlCn"


@pytest.mark.parametrize(("text", "value"), [("on", True), ("TRUE", True), ("1", True), ("No", False), ("0", False)])
def test_switches_are_read(monkeypatch: pytest.MonkeyPatch, text: str, value: bool) -> None:
    monkeypatch.setenv("DEBUG", text)
    assert env.env_bool("DEBUG", default=not value) is value


def test_an_empty_variable_counts_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("A_SWITCH", "A_NUMBER", "A_SIZE", "A_LIST"):
        monkeypatch.setenv(name, "  ")
    assert env.env_bool("A_SWITCH", default=True) is True
    assert env.env_int("A_NUMBER", 7, minimum=0, maximum=9) == 7
    assert env.env_bytes("A_SIZE", 5) == 5
    assert env.env_list("A_LIST", ("x",)) == ["x"]


@pytest.mark.parametrize("text", ["maybe", "2", "onn", "\u0661"])
def test_a_switch_that_is_neither_on_nor_off_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("DEBUG", text)
    with pytest.raises(SettingError, match="DEBUG"):
        env.env_bool("DEBUG", default=False)


@pytest.mark.parametrize("text", ["0", "65536", "80.0", "8e3", "٨٠٠٠", "0x50", "-1", "80 81"])
def test_a_port_outside_its_bounds_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KOMA_PORT", text)
    with pytest.raises(SettingError, match="KOMA_PORT"):
        env.env_int("KOMA_PORT", 8000, minimum=1, maximum=65535)


@pytest.mark.parametrize(("text", "value"), [("0", 0), ("12", 12), ("2K", 2048), ("3m", 3 * 2**20), ("1T", 2**40)])
def test_sizes_take_powers_of_1024(monkeypatch: pytest.MonkeyPatch, text: str, value: int) -> None:
    monkeypatch.setenv("A_SIZE", text)
    assert env.env_bytes("A_SIZE", 1) == value


@given(st.text(alphabet=st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=12))
def test_a_size_is_a_whole_number_of_bytes_or_refused(text: str) -> None:
    os.environ["A_SIZE"] = text
    try:
        assert env.env_bytes("A_SIZE", 1) >= 0
    except SettingError as refused:
        assert "A_SIZE" in str(refused)
    finally:
        del os.environ["A_SIZE"]


def test_a_library_folder_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KOMA_LIBRARY_DIRS", f"{tmp_path}:{tmp_path / 'typo'}")
    with pytest.raises(SettingError, match="typo"):
        env.env_folders("KOMA_LIBRARY_DIRS")


@pytest.mark.parametrize(
    "url",
    ["ftp://hub.example.org", "hub.example.org", "https://", "https://me:word@hub.example.org", "https://h.example/?a=1",
     "https://h.example/#x", "http://h.example:port", "file:///etc"],
)  # fmt: skip
def test_a_hub_address_that_is_none_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("KOMA_HUB_URL", url)
    with pytest.raises(SettingError, match="KOMA_HUB_URL") as refused:
        env.env_service_url("KOMA_HUB_URL", "https://huggingface.co")
    assert "word" not in str(refused.value).replace("password", "")


def test_a_hub_address_loses_its_last_slash_and_a_mirror_may_have_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMA_HUB_URL", "https://mirror.example.org:8443/hub/")
    assert env.env_service_url("KOMA_HUB_URL", "https://huggingface.co") == "https://mirror.example.org:8443/hub"


def test_a_token_never_travels_unencrypted_nor_shows_in_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMA_HUB_TOKEN", "hf_word")
    assert env.env_secret("KOMA_HUB_TOKEN", sent_to="https://hub.example.org") == "hf_word"
    assert env.env_secret("KOMA_HUB_TOKEN", sent_to="http://127.0.0.1:8080") == "hf_word"
    for text, base in (
        ("hf_word", "http://hub.example.org"),
        ("hf word", "https://h.example"),
        ("hf_wörd", "https://h"),
    ):
        monkeypatch.setenv("KOMA_HUB_TOKEN", text)
        with pytest.raises(SettingError, match="KOMA_HUB_TOKEN") as refused:
            env.env_secret("KOMA_HUB_TOKEN", sent_to=base)
        assert text not in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "hunter2", "postgresql://u:hunter2@h:port/d"])
def test_a_refused_database_address_never_shows_its_password(url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError) as refused:
        env.database_settings(url, data_dir=tmp_path)
    assert "DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_redis_address_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "http://:hunter2@h")
    with pytest.raises(SettingError, match="REDIS_URL") as refused:
        env.env_url("REDIS_URL", "", schemes=env.REDIS_SCHEMES)
    assert "hunter2" not in str(refused.value)


def test_a_postgres_address_is_taken_apart(tmp_path: Path) -> None:
    parsed = env.database_settings("postgresql://ann:p%40ss@db:5433/koma", data_dir=tmp_path)
    assert (parsed["USER"], parsed["PASSWORD"], parsed["HOST"], parsed["NAME"]) == ("ann", "p@ss", "db", "koma")
    assert parsed["OPTIONS"] == {"options": env.POSTGRES_OPTIONS}
    with_options = env.database_settings(
        "postgresql://db/koma?sslmode=require&options=-c%20jit%3Don", data_dir=tmp_path
    )
    assert with_options["OPTIONS"] == {"sslmode": "require", "options": "-c jit=on"}


@pytest.mark.parametrize("key", ["short", "a" * 80, "django-insecure-" + GOOD_KEY, "changeme" * 10])
def test_known_and_short_keys_are_refused_outside_debug(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    monkeypatch.setenv("SECRET_KEY", key)
    with pytest.raises(SettingError, match="SECRET_KEY"):
        env.secret_key(data_dir=tmp_path, debug=False)
    assert env.secret_key(data_dir=tmp_path, debug=True) == key


def test_a_key_is_made_once_and_only_we_can_read_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    key = env.secret_key(data_dir=tmp_path / "new", debug=False)
    assert len(key) >= env.SECRET_KEY_LENGTH_MIN
    assert env.secret_key(data_dir=tmp_path / "new", debug=False) == key
    assert stat.S_IMODE((tmp_path / "new" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret_key"]


def test_processes_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    keys: list[str] = []
    threads = [threading.Thread(target=lambda: keys.append(env.kept_secret(tmp_path / "key"))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 16
    assert len(set(keys)) == 1


def test_a_wrong_setting_stops_the_start_in_one_line(tmp_path: Path) -> None:
    environment = os.environ | {"KOMA_DATA_DIR": str(tmp_path), "KOMA_PORT": "eighty"}
    environment["DJANGO_SETTINGS_MODULE"] = "project.settings"
    for command in (["manage.py", "check"], ["-m", "project.serve"]):
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode != 0
        assert done.stderr.strip() == (
            "Koma cannot start: KOMA_PORT is 'eighty', but it must be a whole number from 1 to 65535."
        )


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host/v1", "http://", "host:8000/v1", "http://user:secret@host/v1", "http://host/v1?key=secret",
        "http://host/v1#x", "http://host:notaport/v1", "http://ho\nst/v1", "http://[::1/v1",
    ],
)  # fmt: skip
def test_an_address_of_a_service_is_refused_without_being_repeated(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("KOMA_CAPTION_URL", address)
    with pytest.raises(env.SettingError, match="must look like") as caught:
        env.env_service_url("KOMA_CAPTION_URL")
    assert "secret" not in str(caught.value)


def test_an_address_of_a_service_loses_its_last_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMA_CAPTION_URL", "https://vlm.example.org:8443/api/v1/")
    assert env.env_service_url("KOMA_CAPTION_URL") == "https://vlm.example.org:8443/api/v1"
    monkeypatch.setenv("KOMA_CAPTION_URL", "")
    assert env.env_service_url("KOMA_CAPTION_URL") == ""


@pytest.mark.parametrize("key", ["sk secret", "sk-sécret", "secret\r\nX-Other: 1", "x" * 1001])
def test_a_key_that_would_break_a_header_is_refused_without_being_shown(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("KOMA_CAPTION_KEY", key)
    with pytest.raises(env.SettingError, match="printable ASCII") as caught:
        env.env_secret("KOMA_CAPTION_KEY")
    assert "cret" not in str(caught.value)
