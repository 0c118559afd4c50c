"""SIGKILL at random moments of an export: nothing half-done ever shows, and the end is that of an undisturbed one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KOMA_TEST_KILLS", "20"))


@pytest.mark.slow
def test_an_export_killed_at_random_moments_ends_as_if_nothing_had_happened(
    tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "KOMA_EXPORT_DIR")}
    done = subprocess.run(
        [sys.executable, "-m", "tests.export.kill_export", "--kills", str(KILLS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=environment
        | {"KOMA_DATA_DIR": str(with_tables(tmp_path / "data")), "DJANGO_SETTINGS_MODULE": "project.settings"},
    )

    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["problems"] == []
    assert result["files"] > 150
    assert result["killed"] >= KILLS // 2  # the others had ended before their moment came
