"""Child processes that never outlive us."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1  # Linux: the kernel signals us when our parent dies
STOP_PATIENCE_S = 8.0


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies, however it dies; elsewhere nothing (parents tidy up)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _in_child(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        die_with_parent()
        if os.getppid() != parent:  # the parent died before we asked
            os._exit(1)

    return prepare


def spawn(
    command: Sequence[str], *, log: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches only us and we end it in order.

    Its output is added to `log`, or goes where ours goes.
    """
    output = log.open("ab") if log is not None else None
    try:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            # The launcher has one thread, so that running Python between fork and exec is safe.
            preexec_fn=_in_child(os.getpid()),
        )
    finally:
        if output is not None:
            output.close()


def end(processes: Sequence[subprocess.Popen[bytes]], *, patience_s: float = STOP_PATIENCE_S) -> None:
    """End processes and their groups: ask, ask again (an RQ worker then drops its job), kill. All are gone after it.

    Killing is safe: every stage goes on from what it saved.
    """
    for wait_s in (patience_s / 4, patience_s * 3 / 4):
        for process in processes:
            if process.poll() is None:
                _signal(process.pid, signal.SIGTERM)
        _wait(processes, wait_s)
    for process in processes:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _wait(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    share_s = seconds / max(1, len(processes))
    for process in processes:
        try:
            process.wait(timeout=share_s)
        except subprocess.TimeoutExpired:
            continue


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass
