"""Other accounts of the machine read nothing of what Koma keeps."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from export.build.sinks import share
from project import private
from tests.export.conftest import drawn

ROOT = Path(__file__).resolve().parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_folder(
    folder: Path, databases: tuple[str, ...] = ("koma.sqlite3", "koma.sqlite3-wal", "koma.sqlite3-shm")
) -> Path:
    """As an older release left it: anybody may read."""
    for name in ("logs", "store", "uploads/7"):
        (folder / name).mkdir(parents=True)
    for name in (*databases, "logs/web.log", "uploads/7/film.mkv"):
        (folder / name).write_text("x")
        (folder / name).chmod(0o644)
    for path in (folder, *folder.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    return folder


def test_a_folder_that_others_could_read_is_closed(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "data")
    (folder / "nothing").symlink_to(tmp_path / "gone")
    assert private.close_folder(folder) == []
    assert {mode(path) for path in (folder, folder / "logs", folder / "store", folder / "uploads/7")} == {0o700}
    assert {mode(path) for path in folder.rglob("*") if path.is_file()} == {0o600}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_another_account_reads_nothing_and_what_cannot_be_closed_is_said() -> None:
    with tempfile.TemporaryDirectory() as outer:  # pytest's own folders are closed to others, some levels up
        Path(outer).chmod(0o755)
        _closed_to_nobody(open_folder(Path(outer) / "data"))


def _closed_to_nobody(folder: Path) -> None:
    database = folder / "koma.sqlite3"
    assert as_nobody(f"print(Path({str(database)!r}).read_text())") == "x"
    messages = as_nobody(f"print(*private.close_folder(Path({str(folder)!r})))")
    assert f"{folder} can be read by others" in messages and "chmod 700" in messages
    private.close_folder(folder)
    assert as_nobody(f"print(Path({str(database)!r}).read_text())") == "PermissionError"


def as_nobody(statement: str) -> str:
    """What a Python statement prints for another account, in a process of its own; or the name of its OSError."""
    program = (
        "import os\nfrom pathlib import Path\nfrom project import private\n"
        "os.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\n"
        f"try:\n    {statement}\nexcept OSError as error:\n    print(type(error).__name__)\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.rstrip("\n")


def test_each_of_our_processes_writes_private_files(tmp_path: Path) -> None:
    environment = os.environ | {"KOMA_DATA_DIR": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "project.settings"}
    environment.pop("DATABASE_URL", None)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v", "0", "contenttypes"], cwd=ROOT, env=environment, check=True
    )
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert any(path.name == "koma.sqlite3" for path in files)
    assert {mode(path) for path in files} == {0o600}


def start(folder: Path, *command: object, **more: str) -> subprocess.CompletedProcess[str]:
    """`manage.py COMMAND` as a person with the usual umask starts it, over the data folder `folder`."""
    environment = os.environ | {"KOMA_DATA_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "project.settings"} | more
    environment.pop("DATABASE_URL", None)
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, command)],
        cwd=ROOT, env=environment, check=True, umask=0o022, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


@pytest.fixture()
def left_open(tmp_path: Path, with_tables: Callable[[Path], Path]) -> Path:
    """A data folder that an older release left, with a real database."""
    folder = open_folder(with_tables(tmp_path / "data"), databases=())
    (folder / "koma.sqlite3").chmod(0o644)
    return folder


def test_a_build_without_a_browser_closes_the_data_folder_and_leaves_its_data_set_open(
    left_open: Path, tmp_path: Path
) -> None:
    folder, art, out = left_open, tmp_path / "art", tmp_path / "out"
    art.mkdir()
    (art / "a.png").write_bytes(drawn(1))
    start(folder, "build_dataset", art, "--collection", "Art", "--out", out, "--min-faces", 0)
    assert {mode(path) for path in (folder, folder / "logs", folder / "uploads/7")} == {0o700}
    assert mode(folder / "uploads/7/film.mkv") == 0o600
    assert mode(out) == 0o755
    assert {mode(path) for path in out.rglob("*.png")} == {0o644}


def test_a_worker_that_is_started_by_itself_closes_the_data_folder(left_open: Path, redis_url: str) -> None:
    start(left_open, "runworker", "cpu", "--burst", REDIS_URL=redis_url)
    assert mode(left_open) == 0o700
    assert {mode(left_open / name) for name in ("koma.sqlite3", "logs/web.log")} == {0o600}


def test_a_data_set_is_shared_where_that_is_wanted(tmp_path: Path) -> None:
    place = tmp_path / "set"
    (place / "1_a").mkdir(parents=True, mode=0o700)
    (place / "1_a" / "x.png").write_text("x")
    (place / "1_a" / "x.png").chmod(0o600)
    share(place, umask=0o022)
    assert [mode(path) for path in (place, place / "1_a", place / "1_a" / "x.png")] == [0o755, 0o755, 0o644]
    share(tmp_path / "no such", umask=0o022)
