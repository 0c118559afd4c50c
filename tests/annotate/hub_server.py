"""A real HTTP server on this machine that answers as a model hub does, and fails as networks do when told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1000  # bytes from which a file is "large": sha256 told, bytes behind a redirect


@dataclass
class FakeHub:
    """What the server holds and how it misbehaves; `asked` lists (method, path, Range, Authorization)."""

    files: dict[str, dict[str, bytes]] = field(default_factory=dict)  # repository -> path -> bytes
    licences: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)
    cut_after: list[int] = field(default_factory=list)  # each download in turn breaks off after so many bytes
    busy: int = 0  # so many answers are 503 first
    no_ranges: bool = False
    wrong_hash: bool = False
    token: str = ""
    cdn: str = ""  # another server for the large files; empty: this one
    pause: threading.Event | None = None  # downloads wait in the middle until it is set
    base: str = ""
    sent: Counter[str] = field(default_factory=Counter)
    redirect: str = ""  # large files lead there, whatever it is
    connections: int = 0

    def add(self, repository: str, path: str, data: bytes) -> bytes:
        self.files.setdefault(repository, {})[path] = data
        return data

    def answer(self, request: BaseHTTPRequestHandler, *, head: bool) -> None:
        path = unquote(request.path).lstrip("/")
        authorization = request.headers.get("Authorization", "")
        self.asked.append((request.command, path, request.headers.get("Range", ""), authorization))
        if self.busy > 0:
            self.busy -= 1
            return _plain(request, 503, b"busy")
        if path.startswith("cdn/"):
            return self._bytes(request, self._find(path.removeprefix("cdn/")))
        if self.token and authorization != f"Bearer {self.token}":
            return _plain(request, 401, b"who are you")
        if path.startswith("api/models/"):
            return self._about(request, path.removeprefix("api/models/"))
        repository, _, rest = path.partition("/resolve/")
        name = rest.partition("/")[2]
        data = self.files.get(repository, {}).get(name)
        if data is None:
            return _plain(request, 404, b"Entry not found")
        if len(data) < LARGE:
            tag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
            return self._bytes(request, data, head=head, headers={"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})
        digest = "0" * 64 if self.wrong_hash else hashlib.sha256(data).hexdigest()
        request.send_response(302)
        request.send_header("X-Repo-Commit", COMMIT)
        request.send_header("X-Linked-Etag", f'"{digest}"')
        request.send_header("X-Linked-Size", str(len(data)))
        request.send_header("Location", self.redirect or f"{self.cdn or self.base}/cdn/{repository}/{name}")
        request.send_header("Content-Length", "0")
        request.end_headers()

    def _find(self, path: str) -> bytes:
        return next(
            data for repository, files in self.files.items() for name, data in files.items()
            if f"{repository}/{name}" == path
        )  # fmt: skip

    def _about(self, request: BaseHTTPRequestHandler, path: str) -> None:
        repository, _, rest = path.partition("/tree/")
        if repository not in self.files:
            return _plain(request, 404, b"Repository not found")
        rows: Any = {"cardData": {"license": self.licences.get(repository)}}
        if rest:
            rows = [{"type": "file", "path": name, "size": len(data)} for name, data in self.files[repository].items()]
        return _plain(request, 200, json.dumps(rows).encode())

    def _bytes(
        self, request: BaseHTTPRequestHandler, data: bytes, *, head: bool = False, headers: dict[str, str] | None = None
    ) -> None:
        begin = 0
        byte_range = request.headers.get("Range", "")
        if byte_range and not self.no_ranges:
            begin = int(byte_range.removeprefix("bytes=").partition("-")[0])
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
        else:
            request.send_response(200)
        for key, value in (headers or {}).items():
            request.send_header(key, value)
        request.send_header("Content-Length", str(len(data) - begin))
        request.end_headers()
        if head:
            return
        body = data[begin:]
        if self.cut_after:
            body = body[: self.cut_after.pop(0)]
            request.close_connection = True
        if self.pause is not None:
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.pause.wait(20)
            body = body[len(body) // 2 :]
        request.wfile.write(body)
        self.sent["bytes"] += len(body)


def _plain(request: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(body)


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    """The hub behind a port of 127.0.0.1; `hub.base` is its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            hub.connections += 1
            super().setup()

        def do_GET(self) -> None:
            hub.answer(self, head=False)

        def do_HEAD(self) -> None:
            hub.answer(self, head=True)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    hub.base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
