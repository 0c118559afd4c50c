"""python -m bench.start [--installed] [--write]: how long the first start takes, from `make demo` to a finished demo.

In a clean clone, or with --installed in this copy and with this Python: seconds until a page answers, until the first
face can be named and until the demo is ready, and the processor seconds of all processes. Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from bench.report import ROOT, table, write

PATIENCE_S = 1800.0
LOOK_EVERY_S = 0.2


class Browser:
    """A person's cookies."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.jar)
        )

    def page(self, path: str, **form: str) -> str:
        """The text of a page; empty where there is none."""
        data = urllib.parse.urlencode(form).encode() if form else None
        try:
            with self._opener.open(self.address + path, data, timeout=30) as response:
                return str(response.read().decode())
        except OSError:
            return ""

    def log_in(self, password: str) -> None:
        """Log the admin in."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page("login/"))
        assert token is not None
        self.page("login/", csrfmiddlewaretoken=token[1], username="admin", password=password, next="/")


class Start:
    """A Koma that is starting; `output` is what it printed so far."""

    def __init__(self, command: list[str], folder: Path, data: Path) -> None:
        environment = {
            k: v for k, v in os.environ.items() if not k.startswith("KOMA_") and k not in ("DATABASE_URL", "REDIS_URL")
        }
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        environment |= {"KOMA_DATA_DIR": str(data), "KOMA_PORT": str(port), "KOMA_DISK_RESERVE_BYTES": "0"}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        self.output = ""
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.output += line
            print(f"{time.monotonic() - self.began:7.1f} s  {line}", end="", flush=True)

    def wait(self, is_reached: Callable[[], object]) -> tuple[float, float]:
        """Wall and processor seconds until this is true. SystemExit where Koma ends before."""
        while not is_reached():
            if self.process.poll() is not None or time.monotonic() - self.began > PATIENCE_S:
                raise SystemExit(f"Koma did not get there. It printed:\n{self.output}")
            time.sleep(LOOK_EVERY_S)
        return time.monotonic() - self.began, self.cpu_s()

    def cpu_s(self) -> float:
        """Processor seconds of all processes, of those that have ended too."""
        total = 0.0
        root = psutil.Process(self.process.pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += sum(process.cpu_times()[:4])  # user and system, its own and of its ended children
            except psutil.Error:
                continue
        return total

    def stop(self) -> None:
        """Press Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=60)


def measure(command: list[str], folder: Path, data: Path) -> list[list[str]]:
    """The rows of the table."""
    start = Start(command, folder, data)
    try:
        page = start.wait(lambda: "Stop it with Ctrl-C." in start.output)
        (address,) = re.findall(r"Koma runs at (\S+)", start.output)
        (password,) = re.findall(r"^ +password +(\S+)$", start.output, re.MULTILINE)
        browser = Browser(address)
        browser.log_in(password)
        face = start.wait(lambda: re.search(r"data-cluster\s", browser.page("c/1/faces/")))
        ready = start.wait(lambda: "The demo episode is ready." in start.output)
    finally:
        start.stop()
    steps = {"a page answers": page, "the first face can be named": face, "the demo is ready": ready}
    return [[name, f"{wall:.1f}", f"{cpu:.1f}"] for name, (wall, cpu) in steps.items()]


def main() -> None:
    """Measure once and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--installed", action="store_true", help="start this copy, instead of installing a clean clone")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        if options.installed:
            rows = measure([sys.executable, "-m", "project.serve"], ROOT, data)
        else:
            clone = Path(folder) / "koma"
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
            rows = measure(["make", "demo"], clone, data)
    where = "an installed copy" if options.installed else "a clean clone, packages downloaded"
    text = f"`make demo` in {where}; processor seconds of all processes.\n\n"
    text += table(["until", "seconds", "processor seconds"], rows)
    if options.write:
        write("First start" if options.installed else "First start of a clean clone", text)
    else:
        print(f"\n{text}")


if __name__ == "__main__":
    main()
