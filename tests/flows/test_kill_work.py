"""SIGKILL, cancel and hang of real workers in the middle of every kind of work that they claim, with real Redis."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.time_limit(600)]

ROOT = Path(__file__).resolve().parents[2]
QUEUES = {"stage": "cpu", "export": "export", "model job": "io", "measurement": "gpu", "face": "export"}


@pytest.fixture(scope="module")
def all_tried(
    tmp_path_factory: pytest.TempPathFactory, with_tables: Callable[[Path], Path]
) -> dict[str, dict[str, dict[str, Any]]]:
    """What happened to work of each kind, by what was done to its workers."""
    folder = tmp_path_factory.mktemp("kill")
    with_tables(folder / "data")
    done = subprocess.run(
        [sys.executable, "-m", "tests.flows.kill_work", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(params=QUEUES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture()
def tried(kind: str, all_tried: dict[str, dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    results = all_tried[kind]
    assert results["quiet"]["state"] == "done", results["quiet"]
    assert results["quiet"]["outcome"]
    return results


def test_work_killed_in_the_middle_is_taken_back_and_done_once(tried: dict[str, dict[str, Any]]) -> None:
    quiet, killed = tried["quiet"], tried["killed"]
    assert killed["states"] == ["running", "queued"]
    assert not killed["half"]
    assert (killed["state"], killed["attempt"], killed["error"]) == ("done", 2, "")
    assert killed["outcome"] == quiet["outcome"]
    assert killed["visits"] == quiet["visits"]  # by the second worker, which was alone


def test_work_that_kills_its_workers_fails_in_words(tried: dict[str, dict[str, Any]], kind: str) -> None:
    dead = tried["dead_again"]
    assert (dead["state"], dead["attempt"], dead["half"]) == ("failed", 2, False)
    assert dead["error"].startswith(f"The worker died or hung 2 times in this {kind.rpartition(' ')[2]}. See the ")


def test_a_cancel_is_heard_inside_a_step_that_hears_nothing(tried: dict[str, dict[str, Any]], kind: str) -> None:
    cancelled = tried["cancelled"]
    assert cancelled["state"] == ("gone" if kind == "face" else "cancelled")  # a face leaves no row
    assert cancelled["seconds"] < 20 and not cancelled["half"]
    assert cancelled["exit"] == (71 if QUEUES[kind] == "gpu" else 0)  # a forking worker lives on
    assert not cancelled.get("error")


def test_a_step_that_never_ends_is_ended_and_fails_in_words(tried: dict[str, dict[str, Any]], kind: str) -> None:
    hung = tried["hung"]
    assert (hung["state"], hung["attempt"]) == ("failed", 2)
    assert hung["exits"][0] == (70 if QUEUES[kind] == "gpu" else 0)
    noun = kind.rpartition(" ")[2]
    assert f"This {noun} hangs: one step took over 1 min, in attempt 2. See the worker's log, then " in hung["error"]
    assert not hung["half"]
