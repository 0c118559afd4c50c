"""The one HTTP client does what it is asked and no more: whatever a server sends, nothing follows from it by itself."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from annotate.backends.http_client import SERVER_ERRORS, HttpClient

STOPPED = "stopped by whoever listens"


class Server(ThreadingHTTPServer):
    """Answers each request with `status`, `headers` and `body`, and keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.headers, self.body = 200, {}, b""
        self.requests: list[dict[str, str]] = []
        self.address = f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        server.requests.append({name.lower(): value for name, value in self.headers.items()})
        self.send_response(server.status)
        for name, value in server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(server.body)))
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def client() -> Iterator[HttpClient]:
    client = HttpClient(tls=False, keep=2)
    yield client
    client.close()


def get(client: HttpClient, url: str, **limits: Any) -> tuple[httpx.Response, bytes]:
    with client.stream("GET", url, {}, **limits) as response:
        return response, b"".join(response.iter_raw())


@pytest.mark.parametrize(
    "location", ["/next", "http://127.0.0.1:9/", "javascript:alert(1)", "//[::1", "http://[", "http://h:99999/", ""]
)
def test_a_redirect_is_handed_over_wherever_it_leads(server: Server, client: HttpClient, location: str) -> None:
    server.status, server.headers = 302, {"Location": location}
    response, _ = get(client, server.address)
    assert (response.status_code, response.headers["location"]) == (302, location)
    assert len(server.requests) == 1


def test_cookies_are_not_sent_back(server: Server, client: HttpClient) -> None:
    server.headers = {"Set-Cookie": "who=koma; Path=/"}
    for _ in range(2):
        get(client, server.address)
    assert [request.get("cookie") for request in server.requests] == [None, None]


def test_no_login_is_taken_from_an_address_or_a_file(
    server: Server, client: HttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login bob password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    get(client, server.address)
    get(client, server.address.replace("http://", "http://bob:secret@"))
    assert [request.get("authorization") for request in server.requests] == [None, None]


def test_no_proxy_of_the_environment_is_asked(
    server: Server, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert get(HttpClient(tls=False, keep=1), server.address)[0].status_code == 200


def test_packed_bytes_come_as_they_are(server: Server, client: HttpClient) -> None:
    server.body, server.headers = gzip.compress(b"x" * 100_000), {"Content-Encoding": "gzip"}
    assert get(client, server.address)[1] == server.body
    assert server.requests[0]["accept-encoding"] == "identity"
    assert server.requests[0]["user-agent"] == "koma"


def test_signed_addresses_are_not_logged(server: Server, client: HttpClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        get(client, f"{server.address}?signature=secret")
    assert "secret" not in caplog.text


def test_what_a_server_does_wrong_is_one_of_the_errors_named(client: HttpClient) -> None:
    """Bytes that are no HTTP, a line that ends too early, nothing that listens, and an address that is none."""
    for sent in (b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b""):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=_answer, args=(listener, sent), daemon=True).start()
            with pytest.raises(SERVER_ERRORS) as caught:
                get(client, f"http://127.0.0.1:{listener.getsockname()[1]}/")
            assert isinstance(caught.value, httpx.RemoteProtocolError)
    for address in (f"http://127.0.0.1:{listener_port()}/", "http://127.0.0.1/" + "x" * 70_000, "ftp://127.0.0.1/"):
        with pytest.raises(SERVER_ERRORS):
            get(client, address)


def test_a_deadline_holds_for_bytes_that_drip_and_a_cancel_ends_a_wait(client: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        threading.Thread(target=_drip, args=(listener,), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            get(client, address, until=began + 1)
        assert time.monotonic() - began < 3

    def stop() -> None:
        raise RuntimeError(STOPPED)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        began = time.monotonic()
        with pytest.raises(RuntimeError, match=STOPPED):
            get(client, f"http://127.0.0.1:{listener.getsockname()[1]}/", listen=stop)
        assert time.monotonic() - began < 3
    assert client.open_sockets() == []


def test_all_requests_are_ended_from_another_thread(client: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        threading.Timer(0.3, client.end_all).start()
        began = time.monotonic()
        with pytest.raises(SERVER_ERRORS):
            get(client, address)
        assert time.monotonic() - began < 3
        with pytest.raises(ConnectionAbortedError):
            get(client, address)


def listener_port() -> int:
    """A port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port: int = closed.getsockname()[1]
        return port


def _answer(listener: socket.socket, sent: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(sent)


def _drip(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(1000):
                connection.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            pass
