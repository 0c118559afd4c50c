"""Children of the web server end with its master, also of one that is killed while it makes new ones."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from project.serve.launcher import free_port, gunicorn_command

ROOT = Path(__file__).resolve().parents[2]


def children(pid: int) -> set[int]:
    try:
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except FileNotFoundError:
        return set()


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.slow()
@pytest.mark.parametrize("seed", [1, 2])
def test_no_child_outlives_a_master_that_is_killed_while_it_makes_them(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    environment = os.environ | {
        "KOMA_DATA_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "project.settings",
    }  # fmt: skip
    environment.pop("DATABASE_URL", None)
    command = gunicorn_command("127.0.0.1", free_port("127.0.0.1", 18_000 + seed), 3)
    master = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    seen: set[int] = set()
    try:
        until = time.monotonic() + 60
        while len(children(master.pid)) < 3:
            assert time.monotonic() < until and master.poll() is None
            time.sleep(0.05)
        until = time.monotonic() + 60
        while len(seen) < 9:  # each is replaced at once
            assert time.monotonic() < until
            seen |= (now := children(master.pid))
            for pid in now:
                with suppress(ProcessLookupError):  # ended by itself just now
                    os.kill(pid, signal.SIGSTOP if dice.random() < 0.3 else signal.SIGKILL)  # some hang
            time.sleep(dice.uniform(0.0, 0.4))
        seen |= children(master.pid)
    finally:
        master.kill()
        master.wait()
    until = time.monotonic() + 5
    while left := [pid for pid in seen if alive(pid)]:
        if time.monotonic() > until:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            pytest.fail(f"{len(left)} of {len(seen)} children go on without their master")
        time.sleep(0.05)
    assert len(seen) >= 9
