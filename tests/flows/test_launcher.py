"""`python -m project.serve` as a person meets it: it starts, says where, survives a dead worker, leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.flows.launched import PATIENCE_S, Launched, alive

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("launcher")]

Launch = Callable[..., Launched]


@pytest.fixture()
def launch(tmp_path: Path) -> Iterator[Launch]:
    started: list[Launched] = []

    def start(**more: object) -> Launched:
        started.append(Launched(tmp_path / "data", **more))  # type: ignore[arg-type]
        return started[-1]

    yield start
    for item in started:
        family = item.family() if item.process.poll() is None else []
        item.stop()
        for process in alive(family):
            process.kill()


def fetch(address: str) -> str:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=20) as answer:
        return str(answer.read().decode())


def named(koma: Launched, word: str) -> list[psutil.Process]:
    return [p for p in koma.family() if any(word in part for part in p.cmdline())]


def test_it_starts_and_ctrl_c_leaves_no_process_and_a_second_start_keeps_the_data(launch: Launch) -> None:
    koma = launch()
    koma.wait_until_up()
    assert "Log in" in fetch(koma.address + "login/")
    health = json.loads(fetch(koma.address + "healthz"))
    assert health == {"ok": True, "db": "ok", "redis": "ok", "disk": "ok", "networks": "not tried yet"}
    family = koma.family()
    assert len(named(koma, "runworker")) >= 3
    assert named(koma, "redis-server")
    assert koma.stop() == 0
    assert alive(family) == []
    assert not (koma.data_dir / "redis" / "redis.sock").exists()

    password_file = koma.data_dir / "admin_password"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    again = launch()
    again.wait_until_up()
    assert again.password == koma.password == password_file.read_text().strip()


def test_a_taken_port_is_said_and_the_next_one_used(
    launch: Launch, tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    with_tables(tmp_path / "data")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        koma = launch(port=port)
        koma.wait_until_up()
        assert f"Port {port} is taken" in koma.output
        assert f":{port}/" not in koma.address
        second = Launched(koma.data_dir)
        second.process.wait(timeout=PATIENCE_S)
        second.stop()
        assert "already running" in second.output


def test_a_killed_worker_is_started_again_and_a_killed_launcher_takes_all_with_it(
    launch: Launch, tmp_path: Path, with_tables: Callable[[Path], Path]
) -> None:
    with_tables(tmp_path / "data")
    koma = launch()
    koma.wait_until_up()
    gpu = next(p for p in named(koma, "runworker") if "gpu" in p.cmdline())
    os.kill(gpu.pid, signal.SIGKILL)
    koma.wait_for("worker-gpu ended (code -9)")
    until = time.monotonic() + PATIENCE_S
    while not any("gpu" in p.cmdline() and p.pid != gpu.pid for p in named(koma, "runworker")):
        assert time.monotonic() < until, koma.output
        time.sleep(0.1)

    family = koma.family()
    os.kill(koma.process.pid, signal.SIGKILL)
    koma.process.wait()
    assert alive(family) == []

    again = launch()  # the dead one's socket and lock are no obstacle
    again.wait_until_up()
