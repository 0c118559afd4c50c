"""SIGKILL at random moments of every stage: after the sweep, rows and files are those of an undisturbed run."""

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


@pytest.mark.slow()
@pytest.mark.time_limit(900)
def test_stages_killed_at_random_moments_end_as_if_nothing_had_happened(
    tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    with_tables(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.kill_and_resume", str(tmp_path), "--kills", str(KILLS)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr[-3000:]
    results = json.loads(done.stdout)
    assert {result["stage"]: result["problems"] for result in results if result["problems"]} == {}
    assert done.returncode == 0, done.stderr[-3000:]
    needed = {"read_pictures", "pictures", "extract", "dedup", "detect", "embed", "cluster", "identify"}
    assert needed <= {result["stage"] for result in results if result["kills"]}
    hit = sum(result["killed"] for result in results)
    assert hit > 0.3 * sum(result["kills"] for result in results)  # the others had ended before their moment came
