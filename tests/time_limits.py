"""No run of the tests hangs for ever: limits for each test, and a watchdog over the processes of a run.

A test that takes longer than its limit ends its process. A thread of faulthandler does that, which needs no lock of
Python's, and it prints every stack to the run's standard error; xdist reports the test as failed and starts another
process. The watchdog kills what remains: a process that is stopped, one that hangs while it collects or ends, and one
that has ended while another process still holds the pipe by which the run would learn of that.
"""

from __future__ import annotations

import faulthandler
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 240.0  # for each of a test's three phases (set-up, call, teardown), unless its marker time_limit says other
MARGIN_S = 60.0  # after which the watchdog acts where a process did not end itself
CHECK_EVERY_S = 5.0
STACKS_S = 2.0  # for a process to print its stacks before it is killed


def plugin(config: pytest.Config) -> Limits | Watchdog:
    """What this process needs."""
    hands_out = config.getoption("dist", "no") != "no" and not config.getoption("collectonly")
    return Watchdog(config) if hands_out else Limits()


class Limits:
    """In a process that runs tests: it ends when one of them takes too long."""

    def __init__(self) -> None:
        # Standard error of the run, which is not that of the tests.
        self.stderr = os.dup(2)
        faulthandler.register(signal.SIGUSR1, file=self.stderr, all_threads=True)

    def _begin(self, item: pytest.Item) -> None:
        marker = item.get_closest_marker("time_limit")
        faulthandler.dump_traceback_later(marker.args[0] if marker else LIMIT_S, exit=True, file=self.stderr)

    # At each phase anew: pytest stops the clock when a test fails, before the teardown.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._begin(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        self._begin(item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        self._begin(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        try:
            return (yield)
        finally:
            faulthandler.cancel_dump_traceback_later()


class Watchdog:
    """In the process that hands the tests out: kills each process that was silent for longer than its test may take,
    and ends the run if that does not help. `silence_s` replaces the limits of the tests."""

    def __init__(self, config: pytest.Config, silence_s: float | None = None) -> None:
        self.config, self.silence_s = config, silence_s
        self.stderr = os.dup(2)
        self.last_sign: dict[Any, float] = {}
        self.killed: dict[Any, float] = {}
        self.messages: list[str] = []

    @property
    def _distribution(self) -> Any:
        return self.config.pluginmanager.getplugin("dsession")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def pytest_testnodeready(self, node: Any) -> None:
        self.last_sign[node] = time.monotonic()

    def pytest_xdist_node_collection_finished(self, node: Any) -> None:
        # All begin together when the last of them has collected.
        self.last_sign.update(dict.fromkeys(list(self.last_sign), time.monotonic()))

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.last_sign[report.node] = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(min(CHECK_EVERY_S, self.silence_s or CHECK_EVERY_S))
            for node in list(self._distribution._active_nodes):
                now = time.monotonic()
                if node in self.killed:
                    if now > self.killed[node] + MARGIN_S:
                        self._report(f"{node.gateway.id} is dead, and the run goes on waiting for it: ends the run.")
                        os._exit(1)
                    continue
                silent_s = now - self.last_sign.setdefault(node, now)
                test = self._running(node)
                if silent_s > (self.silence_s or limit_of(test) + MARGIN_S):
                    self._report(
                        f"{node.gateway.id} ({_state(node)}) has reported nothing for {silent_s:.0f} s and is killed; "
                        + (f"it ran {test}" if test else "it ran no test (it collects, or ends)")
                    )
                    if not test:  # so would the one that replaces it
                        self._distribution._max_worker_restart = 0
                    _kill(node)
                    self.killed[node] = time.monotonic()

    def _running(self, node: Any) -> str:
        """The identifier of the test that the process runs; empty where it runs none."""
        scheduler = self._distribution.sched
        units = dict(scheduler.assigned_work.get(node, {})) if scheduler else {}
        return next((test for unit in units.values() for test, is_done in dict(unit).items() if not is_done), "")

    def _report(self, text: str) -> None:
        self.messages.append(text)
        os.write(self.stderr, f"\nwatchdog: {text}\n".encode())

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.messages and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for text in self.messages:
            terminalreporter.write_line(f"watchdog: {text}", red=True)

    def pytest_unconfigure(self) -> None:
        """What tests have started and left would keep the output of the run open."""
        manager = self._distribution.nodemanager if self._distribution else None
        if manager is not None:
            for process in started_by(manager.testrunuid):
                with suppress(psutil.Error):
                    command = " ".join(process.cmdline())[:200]
                    os.write(self.stderr, f"\nstill runs, and is killed: {command}\n".encode())
                    process.kill()


@cache
def limit_of(test: str) -> float:
    """The longest limit in the file of a test, seconds; the default for the empty identifier."""
    path = ROOT / test.partition("::")[0]
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return max([LIMIT_S, *map(float, re.findall(r"time_limit\((\d+)\)", text))])


def started_by(run_id: str) -> list[psutil.Process]:
    """The processes that the tests of a run have started, and theirs."""
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("PYTEST_XDIST_TESTRUNUID") == run_id and process.pid != os.getpid():
                processes.append(process)
    return processes


def _state(node: Any) -> str:
    try:
        return str(psutil.Process(node.gateway._io.popen.pid).status())
    except psutil.Error:
        return psutil.STATUS_DEAD


def _kill(node: Any) -> None:
    """Let a process print its stacks, and kill it with all that it started and all that holds its end of the pipe."""
    io = node.gateway._io
    with suppress(psutil.Error):
        worker = psutil.Process(io.popen.pid)
        if worker.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_STOPPED):
            worker.send_signal(signal.SIGUSR1)
            time.sleep(STACKS_S)
        for process in [*worker.children(recursive=True), worker]:
            with suppress(psutil.Error):
                process.kill()
    pipe = f"pipe:[{os.fstat(io.infile.fileno()).st_ino}]"
    for handle in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if str(handle.readlink()) == pipe and handle.parts[2] != str(os.getpid()):
                os.kill(int(handle.parts[2]), signal.SIGKILL)
