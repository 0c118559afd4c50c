"""A whole Koma in processes of its own, started as a person starts it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 90.0


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Launched:
    """`python -m project.serve` with its own data folder; `output` is what it printed so far."""

    def __init__(self, data_dir: Path, *, port: int | None = None, arguments: tuple[str, ...] = ("--no-demo",)) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("KOMA_") and k not in ("DATABASE_URL", "DEBUG")
        }
        environment.pop("REDIS_URL", None)
        environment["KOMA_DATA_DIR"], environment["KOMA_PORT"] = str(data_dir), str(self.port)
        environment["KOMA_DISK_RESERVE_BYTES"] = "0"
        environment["KOMA_WEB_WORKERS"] = "1"
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.environment = environment
        self.output = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "project.serve", *arguments],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line

    def wait_for(self, text: str) -> None:
        """Wait until the text was printed; fail with all output when the launcher ended before."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.output:
            if self.process.poll() is not None or time.monotonic() > until:
                self._reader.join(timeout=5)
                if text in self.output:
                    return
                raise AssertionError(f"never printed {text!r}; printed:\n{self.output}")
            time.sleep(0.05)

    def wait_until_up(self) -> None:
        self.wait_for("Stop it with Ctrl-C.")

    @property
    def address(self) -> str:
        result = re.search(r"Koma runs at (\S+)", self.output)
        assert result, self.output
        return result.group(1)

    @property
    def password(self) -> str:
        result = re.search(r"name +admin\n +password +(\S+)", self.output)
        assert result, self.output
        return result.group(1)

    def family(self) -> list[psutil.Process]:
        """The launcher and everything below it."""
        launcher = psutil.Process(self.process.pid)
        return [launcher, *launcher.children(recursive=True)]

    def manage(self, *arguments: str) -> str:
        """Run a management command on the same data; returns its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self) -> int:
        """Press Ctrl-C; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=5)
        return code


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run, after a moment in which they may end."""
    _, left = psutil.wait_procs(processes, timeout=10)
    return [process for process in left if process.status() != psutil.STATUS_ZOMBIE]
