"""A chat server on this machine that behaves as it is told: answers, refusals, garbage, silence. Remembers requests."""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image


@dataclass
class Reply:
    """`body` is sent as it is; a text in `says` makes a chat answer of it. `drip_s`: pause after each byte."""

    says: str | None = None
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    wait_s: float = 0.0
    drip_s: float = 0.0
    hang_up: bool = False

    def data(self) -> bytes:
        if self.says is None:
            return self.body
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": self.says}}]}).encode()


@dataclass
class Asked:
    """One request as the server saw it."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][1]["content"][0]["text"])

    @property
    def picture(self) -> Image.Image:
        url = self.body["messages"][1]["content"][1]["image_url"]["url"]
        head, _, data = url.partition(",")
        assert head == "data:image/jpeg;base64"
        return Image.open(io.BytesIO(base64.b64decode(data)))


@dataclass
class ChatServer:
    """`answer(number, asked)` gives the reply to the request of that number, from 1."""

    answer: Callable[[int, Asked], Reply] = lambda number, asked: Reply(says=f"Caption {number}.")
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    at_once_most: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@contextmanager
def serving(server: ChatServer, *, tls: ssl.SSLContext | None = None, keep: bool = False) -> Iterator[ChatServer]:
    """The server runs in a thread until the end of the block; with `tls` it speaks https, with `keep` a connection
    stays open for further questions."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1" if keep else "HTTP/1.0"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            with lock:
                server.connections += 1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = Asked(self.path, dict(self.headers), body, time.monotonic())
            with lock:
                server.asked.append(request)
                number = len(server.asked)
                server.at_once += 1
                server.at_once_most = max(server.at_once_most, server.at_once)
            reply = server.answer(number, request)
            try:
                time.sleep(reply.wait_s)
            finally:
                # Before the answer goes out: whoever has it may send the next question before this thread runs again.
                with lock:
                    server.at_once -= 1
            self._reply(reply)

        do_GET = do_POST

        def _reply(self, reply: Reply) -> None:
            if reply.hang_up:
                self.connection.close()
                return
            data = reply.data()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            try:
                if not reply.drip_s:
                    self.wfile.write(data)
                for index in range(len(data) if reply.drip_s else 0):
                    self.wfile.write(data[index : index + 1])
                    self.wfile.flush()
                    time.sleep(reply.drip_s)
            except OSError:
                pass  # the client hung up, as it should

        def log_message(self, *_: Any) -> None:
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    web.daemon_threads = True
    if tls is not None:
        web.socket = tls.wrap_socket(web.socket, server_side=True)
    server.port = web.server_address[1]
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        web.shutdown()
        web.server_close()
        thread.join()
