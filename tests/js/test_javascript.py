"""The logic of the pages' scripts (static/js/lib), by node's own test runner: tests/js/*.test.js."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import playwright

from ingest import humane

HERE = Path(__file__).parent
# Playwright brings a node for its driver, so there always is one, and the same for everybody.
NODE = Path(playwright.__file__).parent / "driver" / ("node.exe" if os.name == "nt" else "node")


def test_every_module_of_logic_passes_its_tests() -> None:
    tests = sorted(HERE.glob("*.test.js"))
    assert len(tests) > 8
    done = subprocess.run(
        [str(NODE), "--test", *map(str, tests)], cwd=HERE, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_of_logic_has_tests() -> None:
    modules = {path.stem for path in (HERE.parents[1] / "static" / "js" / "lib").glob("*.js")}
    assert modules == {path.name.removesuffix(".test.js") for path in HERE.glob("*.test.js")}


def test_pages_and_scripts_write_figures_alike() -> None:
    sizes = [0, 1, 999, 1000, 54_321, 999_400, 999_600, 1e6, 2.46e9, 999.96e9, 12.3e12, 9e15]
    seconds = [0, 0.4, 1, 42.4, 89.6, 90.5, 200, 3599.97, 5000, 5450, 86400]
    program = (
        'import { duration, fileSize, timecode } from "../../static/js/lib/numbers.js";'
        f"console.log(JSON.stringify([{json.dumps(sizes)}.map(fileSize),"
        f"{json.dumps(seconds)}.map(duration), {json.dumps(seconds)}.map(timecode)]));"
    )
    done = subprocess.run(
        [str(NODE), "--input-type=module", "--eval", program], cwd=HERE, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [
        [humane.filesize(value) for value in sizes],
        [humane.duration(value) for value in seconds],
        [humane.timecode(value) for value in seconds],
    ]
