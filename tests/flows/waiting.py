"""Wait for a child process, though not for ever: a fork can hang at a lock that another thread held."""

from __future__ import annotations

import os
import signal
import time

PATIENCE_S = 150.0


def wait_for(child: int) -> int:
    """The status of a forked child, as `os.waitpid` returns it, when it has ended. Kills one that does not end in time,
    and raises TimeoutError."""
    until = time.monotonic() + PATIENCE_S
    pause_s = 0.0005
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise TimeoutError(f"A child did not end within {PATIENCE_S:.0f} s.")
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.005)
