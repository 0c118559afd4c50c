"""The benchmark of rows compares what the pages show: both engines draw the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_rows_that_are_compared_are_those_of_the_pages() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.rows", "--turns", "1"],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "100 frame tiles" in done.stdout
