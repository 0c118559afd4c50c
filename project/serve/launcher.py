"""The launcher: lock, port, Redis, database, admin, web server, workers, demo; watches them; ends them together."""

from __future__ import annotations

import errno
import fcntl
import math
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from django.conf import settings
from django.db import connections

from ingest.imaging.store import free_bytes
from ingest.storage.full_disk import FREE_LEAST_BYTES
from project import private
from project.serve.children import end, spawn
from project.serve.redis_server import RedisServer

PORTS_TRIED = 50
WORKER_CLASS = "project.serve.web_worker.BufferedWorker"
LOG_MAX_BYTES = 5 * 2**20  # a log beyond this begins anew at the next start
RESTART_WAIT_S = (0.5, 2.0, 5.0, 15.0, 60.0)  # a worker that dies again and again is started less and less often
DISK_EVERY_S = 5.0
DEMO_PATIENCE_S = 20.0
CALM_S = 120.0  # a process that lived this long starts with the shortest wait again
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class LaunchProblem(RuntimeError):
    """Koma cannot be started; the text says why and what to do."""


@dataclass(slots=True)
class Service:
    """A process that is to live as long as we do."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    start_again_at: float = 0.0


def report(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def lock_folder(folder: Path) -> IO[str]:
    """Hold the data folder, so that two launchers never share one; LaunchProblem when another has it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "serve.lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        where = file.read().strip() or "starting up"
        file.close()
        raise LaunchProblem(
            f"Koma is already running from {folder} ({where}). Stop that one, or set KOMA_DATA_DIR."
        ) from None
    return file


def free_port(bind: str, first: int) -> int:
    """Return `first`, or the next port that nobody listens on."""
    for port in range(first, min(first + PORTS_TRIED, 65536)):
        family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bind, port))
            except PermissionError:
                raise LaunchProblem(f"Port {port} needs root rights. Set KOMA_PORT to 1024 or more.") from None
            except OSError as taken:
                if isinstance(taken, socket.gaierror) or taken.errno == errno.EADDRNOTAVAIL:
                    raise LaunchProblem(f"KOMA_BIND is {bind!r}, which is not an address of this machine.") from None
                continue
            return port
    raise LaunchProblem(f"No free port from {first} on. Set KOMA_PORT.")


def gunicorn_command(bind: str, port: int, workers: int, *, worker_class: str = WORKER_CLASS) -> list[str]:
    """Return the web server's command line.

    Requests and answers wait in the worker's loop, not in its threads (`project.serve.web_worker`); how many pages
    are made at once says `project.timing`.
    """
    where = f"[{bind}]:{port}" if ":" in bind else f"{bind}:{port}"
    return [
        sys.executable, "-m", "gunicorn", "project.wsgi", "--bind", where, "--workers", str(workers),
        "--worker-class", worker_class, "--threads", "8", "--preload", "--timeout", "120", "--graceful-timeout", "3",
        "--log-level", "warning", "--config", "python:project.serve.web_children",
    ]  # fmt: skip


def worker_command(*queues: str) -> list[str]:
    """Return a worker's command line."""
    return [sys.executable, "manage.py", "runworker", *queues]


@dataclass
class Launcher:
    """All our processes. Call `run`; it returns the exit code."""

    with_demo: bool = True
    services: list[Service] = field(default_factory=list)
    redis: RedisServer | None = None
    demo: subprocess.Popen[bytes] | None = None
    demo_log: Path | None = None
    demo_reported: int = 0  # position in that log
    stopping: bool = False
    disk_full: bool = False
    disk_seen_at: float = -math.inf

    def run(self) -> int:
        """Start everything, watch it until a signal comes, end everything."""
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        for problem in private.close_folder(settings.KOMA_DATA_DIR):
            report(problem)
        lock = lock_folder(settings.KOMA_DATA_DIR)
        try:
            port = free_port(settings.KOMA_BIND, settings.KOMA_PORT)
            if port != settings.KOMA_PORT:
                report(f"Port {settings.KOMA_PORT} is taken; using {port}.")
            if settings.REDIS_URL == settings.OWN_REDIS_URL:
                self.redis = RedisServer(settings.KOMA_DATA_DIR / "redis")
                self.redis.start()
            login = prepare_database()
            self._make_services(port)
            # First what the page and the demo's film wait for; the other workers start while these are at work.
            self._start(self.services[0])
            if self.with_demo:
                self._start_demo()
            address = f"http://{shown_host(settings.KOMA_BIND)}:{port}/"
            self._wait_until_up(address)
            self._wait_for_demo()
            for service in self.services:
                if service.process is None:
                    self._start(service)
            if not self.stopping:
                lock.truncate(0)
                lock.write(address)
                lock.flush()
                announce(address, login)
            while not self.stopping:
                self._watch()
                time.sleep(0.2)
            return 0
        finally:
            self._end_all()
            lock.truncate(0)
            lock.close()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.stopping:
            self.stopping = True
            os.write(1, b"\nStopping ...\n")

    def _make_services(self, port: int) -> None:
        web = gunicorn_command(settings.KOMA_BIND, port, settings.KOMA_WEB_WORKERS)
        self.services = [
            Service("web", web),
            Service("worker-cpu", worker_command("cpu")),
            Service("worker-gpu", worker_command("gpu")),
            Service("worker-io", worker_command("export", "io")),
        ]

    def _start(self, service: Service) -> None:
        if self.stopping:
            return
        service.process = spawn(service.command, log=log_file(service.name))
        service.started = time.monotonic()

    def _wait_until_up(self, address: str) -> None:
        web = self.services[0]
        while not self.stopping:
            if web.process is not None and web.process.poll() is not None:
                tail = log_file("web").read_text(errors="replace")[-1500:]
                raise LaunchProblem(f"The web server ended right away. The end of {log_file('web')}:\n{tail}")
            if answers(address):
                return
            time.sleep(0.05)

    def _wait_for_demo(self) -> None:
        """Until the demo's collection is there, so that nobody is told an address that shows an empty page."""
        until = time.monotonic() + DEMO_PATIENCE_S
        while self.demo is not None and self.demo_log is not None and not self.stopping:
            if self.demo.poll() is not None or time.monotonic() > until or self.demo_log.stat().st_size:
                return
            time.sleep(0.05)

    def _start_demo(self) -> None:
        from project import demo

        is_due = demo.is_due()
        connections.close_all()
        if is_due and not self.stopping:
            self._start(self.services[1])  # it draws
            self.demo_log = log_file("demo")
            self.demo_log.unlink(missing_ok=True)
            self.demo = spawn([sys.executable, "manage.py", "demo_episode", "--follow"], log=self.demo_log)

    def _report_demo(self) -> None:
        """Print what the demo's process said since; it begins before the address and the login are printed."""
        if self.demo_log is not None and self.demo_log.exists():
            with self.demo_log.open(encoding="utf-8", errors="replace") as file:
                file.seek(self.demo_reported)
                if text := file.read().rstrip("\n"):
                    report(text)
                self.demo_reported = file.tell()

    def _watch(self) -> None:
        """Start again what died. Stages of a dead worker are taken up from what they saved."""
        now = time.monotonic()
        self._tell_full_disk(now)
        if self.redis is not None and self.redis.process is not None and self.redis.process.poll() is not None:
            report("Redis ended; restarting it.")
            self.redis.start()
        if self.demo is not None:
            code = self.demo.poll()
            self._report_demo()
            if code:
                report(
                    "The demo episode failed; the lines above say why. Its run in the collection Demo can be retried."
                )
            if code is not None:
                self.demo = None
        for service in self.services:
            if service.process is not None and service.process.poll() is not None:
                code = service.process.returncode
                service.process = None
                service.deaths = 0 if now - service.started > CALM_S else service.deaths
                wait = RESTART_WAIT_S[min(service.deaths, len(RESTART_WAIT_S) - 1)]
                service.deaths += 1
                service.start_again_at = now + wait
                report(f"{service.name} ended (code {code}); restarting it. Log: {log_file(service.name)}")
            elif service.process is None and now >= service.start_again_at:
                self._start(service)

    def _tell_full_disk(self, now: float) -> None:
        """Here, since the logs lie on that disk."""
        if now < self.disk_seen_at + DISK_EVERY_S:
            return
        self.disk_seen_at = now
        full = free_bytes(settings.KOMA_DATA_DIR) < FREE_LEAST_BYTES
        if full and not self.disk_full:
            report(f"The disk of {settings.KOMA_DATA_DIR} is full. Free some space; Koma then continues by itself.")
        elif self.disk_full and not full:
            report(f"The disk of {settings.KOMA_DATA_DIR} has space again.")
        self.disk_full = full

    def _end_all(self) -> None:
        processes = [service.process for service in self.services if service.process is not None]
        if self.demo is not None:
            processes.append(self.demo)
        end(processes)
        if self.redis is not None:
            self.redis.stop()
        if self.stopping:
            report("Stopped. Your data is kept in " + str(settings.KOMA_DATA_DIR))


def prepare_database() -> tuple[str, str] | None:
    """Bring the tables up to date and make the first admin; returns name and password where we know them."""
    from django.core.management import call_command

    from project.admin_user import first_admin
    from project.new_site import create_tables

    create_tables()
    call_command("migrate", interactive=False, verbosity=0)
    login = first_admin(settings.KOMA_DATA_DIR / "admin_password")
    connections.close_all()
    return login


def log_file(name: str) -> Path:
    """Return the log of a service; a long one begins anew."""
    folder: Path = settings.KOMA_DATA_DIR / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_MAX_BYTES:
        path.replace(path.with_suffix(".old.log"))
    return path


def shown_host(bind: str) -> str:
    """Return the host that a person types: our own machine where we listen everywhere."""
    if bind in {"0.0.0.0", "", "::"}:  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{bind}]" if ":" in bind else bind


def answers(address: str) -> bool:
    """True when the web server gives any answer."""
    try:
        with _open_directly(address + "healthz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


# Never through a proxy of the environment: it is our own machine.
_open_directly: Callable[..., IO[bytes]] = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


def announce(address: str, login: tuple[str, str] | None) -> None:
    """Print where Koma is, how to log in and what is there to see."""
    lines = ["", f"Koma runs at {address}", ""]
    if login is not None:
        kept_in = settings.KOMA_DATA_DIR / "admin_password"
        lines += ["  Open it in a browser and log in:", f"    name      {login[0]}", f"    password  {login[1]}", ""]
        lines += [f"  The password is also in {kept_in}, until you change it."]
    else:
        lines += ["  Log in with the name and password of your account."]
    lines += [f"  Data: {settings.KOMA_DATA_DIR}   Logs: {settings.KOMA_DATA_DIR / 'logs'}", "  Stop it with Ctrl-C."]
    report("\n".join([*lines, ""]))
