"""SIGKILL of the real worker, with real Redis and tiny models, while it asks models, tags and captions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.kill_workers import KILLED

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("KOMA_TEST_KILLS", "20"))


@pytest.mark.slow()
@pytest.mark.time_limit(900)
def test_workers_killed_while_models_look_tag_and_caption_end_as_if_nothing_had_happened(
    tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    with_tables(tmp_path / "data")
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.kill_workers", str(tmp_path), "--kills", str(KILLS)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr[-3000:]
    results = {result["stage"]: result for result in json.loads(done.stdout)}
    assert {name: result["problems"] for name, result in results.items() if result["problems"]} == {}
    assert done.returncode == 0, done.stderr[-3000:]
    killed = [results[name] for name in KILLED]
    assert all(result["kills"] == KILLS and result["done"] for result in killed)
    assert all(result["in_the_middle"] > 0.2 * KILLS for result in killed)  # the others before or after their work
