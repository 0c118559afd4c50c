"""A full disk is told as one, on every page and in the log, whichever way it shows."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg.errors
import pytest
from django.db import OperationalError

from ingest.imaging.store import StoreFull
from ingest.storage import full_disk

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture()
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("needs root, and the right to mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("fresh", [False, True])
def test_every_page_says_that_the_disk_is_full_and_so_does_the_log(
    small_disk: Path, with_tables: Callable[[Path], Path], *, fresh: bool
) -> None:
    with_tables(small_disk / "data")
    done = subprocess.run(
        [sys.executable, "-m", "tests.project.full_disk", str(small_disk), *(["--fresh"] if fresh else [])],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    for page in ("login", "form", "htmx", *(["page"] if fresh else [])):
        status, words = results[page]
        assert status == 507, (page, results[page])
        assert "disk that Koma writes to is full" in words and "busy" not in words, (page, words)
    assert results["page"][0] == (507 if fresh else 200)  # reading goes on where the database is open already
    assert results["afterwards"][0] == 302
    assert f"The disk of {small_disk}/data is full: /login/ could not be answered" in done.stderr


def raised(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no"), True),
        (OSError(errno.EDQUOT, "no"), True),
        (OSError(errno.EACCES, "no"), False),
        (StoreFull("no room"), True),
        (raised(OperationalError("x"), psycopg.errors.DiskFull("x")), True),
        (raised(OperationalError("x"), psycopg.errors.DeadlockDetected("x")), False),
        (raised(ValueError("x"), OSError(errno.ENOSPC, "no")), True),
        (OperationalError("the disk is full"), False),  # by type and number, not by words
        (None, False),
    ],
)
def test_a_full_disk_is_known_by_type_and_number(error: Exception | None, *, full: bool) -> None:
    assert full_disk.disk_is_full(error) == full


def test_sqlite_s_other_faults_are_a_full_disk_only_where_the_disk_is_full(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KOMA_DATA_DIR = tmp_path
    with pytest.raises(sqlite3.OperationalError) as cannot_open:
        sqlite3.connect(tmp_path / "no folder" / "x.sqlite3")
    assert not full_disk.disk_is_full(cannot_open.value)
    monkeypatch.setattr(full_disk, "free_bytes", lambda folder: 4096)
    assert full_disk.disk_is_full(cannot_open.value)
