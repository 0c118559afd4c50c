"""Whatever hangs or dies: a run ends, names the test, runs all others, and leaves no process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
SILENCE_S = 6  # after which the watchdog acts in these runs
CONFTEST = """
from pathlib import Path
from tests import time_limits, together

time_limits.ROOT = together.ROOT = Path(__file__).parent
time_limits.LIMIT_S = 1.5

def pytest_configure(config):
    plugin = time_limits.plugin(config)
    if isinstance(plugin, time_limits.Watchdog):
        plugin.silence_s = SILENCE_S
    config.pluginmanager.register(plugin)

def pytest_xdist_make_scheduler(config, log):
    return together.Together(config, log)
"""


def run(folder: Path, *, processes: int, conftest: str = "", **files: str) -> subprocess.CompletedProcess[str]:
    """A run of its own of these files, with the scheduler and the limits of our tests."""
    (folder / "conftest.py").write_text(CONFTEST.replace("SILENCE_S", str(SILENCE_S)) + textwrap.dedent(conftest))
    imports = "import ctypes, os, signal, subprocess, time, pytest\n"
    for name, text in files.items():
        (folder / f"{name}.py").write_text(imports + textwrap.dedent(text))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-n", str(processes), "-p", "no:django", "-p", "no:cacheprovider",
         "--rootdir", str(folder), "--basetemp", str(folder / "tmp"), str(folder)],
        cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def outcomes(result: subprocess.CompletedProcess[str], word: str) -> list[str]:
    """The tests with this outcome, in the order of their names, as often as they were reported."""
    return sorted(re.findall(rf"^\[gw\d+\] .*{word} \S+::test_(\w+)", result.stdout, re.MULTILINE))


def test_a_test_that_hangs_fails_by_name_with_its_stack_even_if_it_holds_pythons_lock(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        processes=1,  # stacks of two at once are mixed
        test_hanging="""
            def test_sleeps(): time.sleep(1000)
            def test_holds_the_lock(): ctypes.PyDLL(None).sleep(1000)
            @pytest.fixture
            def slow_to_end():
                yield
                time.sleep(1000)
            def test_fails_and_hangs_at_its_end(slow_to_end): assert False
            @pytest.mark.parametrize("n", range(6))
            def test_ok(n): pass
        """,
    )
    assert outcomes(result, "FAILED") == [
        "fails_and_hangs_at_its_end", "fails_and_hangs_at_its_end", "holds_the_lock", "sleeps",
    ]  # fmt: skip
    assert outcomes(result, "PASSED") == ["ok"] * 6
    assert result.returncode == 1 and "watchdog" not in result.stdout
    stacks = result.stderr
    assert stacks.count("Timeout") == 3 and "in test_sleeps" in stacks and "in test_holds_the_lock" in stacks


def test_a_process_that_stops_or_leaves_its_pipe_to_a_child_is_killed_and_its_test_is_named(
    tmp_path: Path,
) -> None:
    result = run(
        tmp_path,
        processes=2,
        test_stopping="""
            def test_stops(): os.kill(os.getpid(), signal.SIGSTOP)
            def test_leaves_its_pipe_to_a_child():
                if os.fork() == 0:
                    time.sleep(1000)
                os._exit(1)
            @pytest.mark.parametrize("n", range(6))
            def test_ok(n): pass
        """,
    )
    assert outcomes(result, "FAILED") == ["leaves_its_pipe_to_a_child", "stops"]
    assert outcomes(result, "PASSED") == ["ok"] * 6
    assert result.returncode == 1
    for name, state in (("stops", "stopped"), ("leaves_its_pipe_to_a_child", "zombie")):
        assert re.search(rf"watchdog: gw\d+ \({state}\) has reported nothing for .*test_{name}\n", result.stdout)


def test_a_run_with_a_process_that_hangs_at_its_end_fails_and_what_tests_started_is_ended(tmp_path: Path) -> None:
    result = run(
        tmp_path,
        processes=1,
        conftest="""
            import os, time
            def pytest_sessionfinish():
                time.sleep(1000 if os.environ.get("PYTEST_XDIST_WORKER") else 0)
        """,
        test_leaving="""
            def test_leaves_a_process():
                with open("left", "w") as file:
                    file.write(str(subprocess.Popen(["sleep", "1000"]).pid))
        """,
    )
    assert outcomes(result, "PASSED") == ["leaves_a_process"]
    assert result.returncode == 1
    assert "it ran no test" in result.stdout
    left = int((tmp_path / "left").read_text())
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("before", [0, 6])
@pytest.mark.parametrize("processes", [1, 2])
def test_a_test_that_ends_its_process_fails_once_and_all_others_run_once(
    tmp_path: Path, processes: int, before: int
) -> None:
    text = f"""
        @pytest.mark.parametrize("n", range({before}))
        def test_before(n): pass
        def test_ends_its_process(): os._exit(1)
        def test_after(): pass
    """
    result = run(
        tmp_path, processes=processes, test_one_by_one=text, test_in_one_piece="# xdist_group\n" + textwrap.dedent(text)
    )
    assert outcomes(result, "FAILED") == ["ends_its_process"] * 2
    assert outcomes(result, "PASSED") == sorted(["before"] * before * 2 + ["after"] * 2)
