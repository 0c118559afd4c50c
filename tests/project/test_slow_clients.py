"""Half a header, half a body or a reader who stops: the real web server goes on answering, and closes them in time."""

from __future__ import annotations

import http.client
import resource
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench import slow_clients as slow
from project.serve import web_worker

CLIENTS = 40  # more than five times the threads that gunicorn would have
Site = tuple[int, str, str]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, with_tables: Callable[[Path], Path]) -> Iterator[Site]:
    with slow.site(with_tables(tmp_path_factory.mktemp("site") / "data"), workers=1) as running:
        yield running


@pytest.mark.parametrize("kind", [kind for kind in slow.KINDS if kind != "nobody"])
def test_pages_answer_beside_many_slow_clients(site: Site, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "SETTLE_S", 2.0)
    port, cookie, address = site
    times = slow.measure(kind, CLIENTS, port, cookie=cookie, address=address, seconds=2)
    came = [seconds for seconds in times if seconds is not None]
    assert len(came) == len(times) > 4, f"{len(times) - len(came)} questions were never answered"
    assert statistics.median(came) < 1


def closed_after(client: socket.socket, patience_s: float) -> float:
    """Seconds until the server closes; more than the patience when it does not."""
    began = time.monotonic()
    client.settimeout(patience_s)
    try:
        while client.recv(65536):
            continue
    except TimeoutError:
        return patience_s + 1
    except OSError:
        pass
    return time.monotonic() - began


def test_a_header_has_its_time_however_it_drips(site: Site) -> None:
    port, cookie, address = site
    kind = "half a header, a byte a second"
    (client,) = slow.slow_clients(kind, 1, port, cookie=cookie, address=address)
    stop = threading.Event()
    dripping = threading.Thread(target=slow.drip, args=([client], stop), daemon=True)
    dripping.start()
    took = closed_after(client, web_worker.HEADER_MAX_S + 10)
    stop.set()
    assert web_worker.HEADER_MAX_S - 2 < took < web_worker.HEADER_MAX_S + 6


IDLE = 2600


def test_pages_answer_beside_thousands_of_connections_that_say_nothing(site: Site) -> None:
    port, _, _ = site
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, IDLE + 500)), hard))
    mute = []
    try:
        opening = time.monotonic()
        for _ in range(IDLE):
            client = socket.socket()
            client.settimeout(20)
            client.connect(("127.0.0.1", port))
            mute.append(client)
        for _ in range(5):
            took = slow.seconds_for(port, "/healthz")
            assert took is not None and took < 5
        assert time.monotonic() - opening < 40
    finally:
        for client in mute:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_connection_that_says_nothing_is_closed_soon(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site[0])) as client:
        took = closed_after(client, 30)
    assert web_worker.FIRST_BYTE_MAX_S - 2 < took < web_worker.FIRST_BYTE_MAX_S + 6


class Held:
    def __init__(self, address: str, *, idle: bool) -> None:
        self.address, self.is_idle, self.closed = address, idle, False

    def handle_close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("held", "newest", "of_one_max", "closed"),
    [("aA", "a", 2, 0), ("AA", "a", 2, 2), ("bA", "a", 2, None), ("aaa", "a", 0, 0), ("Aba", "c", 9, 1),
     ("ABA", "c", 9, None)],
)  # fmt: skip
def test_who_gives_way(
    held: str, newest: str, of_one_max: int, closed: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Capitals are busy. The oldest idle one, of the same address where that has too many; without one the newest."""
    monkeypatch.setattr(web_worker, "CONNECTIONS_KEPT", 3)
    server = web_worker.Server.__new__(web_worker.Server)
    server.of_one_max = of_one_max
    channels = [Held(name.lower(), idle=name.islower()) for name in held + newest]
    server.active_channels = dict(enumerate(channels))
    server.make_room()
    assert [n for n, channel in enumerate(channels) if channel.closed] == ([] if closed is None else [closed])


@pytest.mark.parametrize(
    "lines",
    [f"Content-Length: {'9' * 5000}", "Content-Length: 5\r\nTransfer-Encoding: chunked",
     "Transfer-Encoding: chunked\r\nContent-Length: 5"],
    ids=["5,000 digits", "length and coding", "coding and length"],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_body_of_no_clear_length_is_refused(
    site: Site, lines: str, version: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with socket.create_connection(("127.0.0.1", site[0]), timeout=10) as client:
        client.sendall(f"POST /login/ HTTP/{version}\r\nHost: 127.0.0.1\r\n{lines}\r\n\r\n0\r\n\r\n".encode())
        assert client.recv(100).split()[1] == b"400"
    for log in Path(tmp_path_factory.getbasetemp()).glob("site*/data/web.log"):
        assert "uncaptured python exception" not in log.read_text()


def channel(*, headers_finished: bool, received: int, age_s: float) -> web_worker.Channel:
    channel = web_worker.Channel.__new__(web_worker.Channel)
    channel.request = web_worker.Request(web_worker.Limits(body_max_bytes=100))
    channel.request.headers_finished, channel.request.body_bytes_received = headers_finished, received
    channel.begun_at = 1000 - age_s
    return channel


@pytest.mark.parametrize(
    ("finished", "received", "age_s", "too_slow"),
    [(False, 0, 14, False), (False, 0, 16, True), (True, 0, 29, False), (True, 100, 31, True),
     (True, 8 * 2**20, 600, False), (True, 8 * 2**20, 1100, True)],
)  # fmt: skip
def test_a_body_has_to_come_at_some_pace(finished: bool, received: int, age_s: float, too_slow: bool) -> None:
    assert channel(headers_finished=finished, received=received, age_s=age_s).is_too_slow(1000) is too_slow


def announce(port: int, size: int, cookie: str = "") -> int:
    """The status of a form of which nothing but the header is sent; 0 when the server waits for its body."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        line.putrequest("POST", "/login/")
        line.putheader("Content-Type", "multipart/form-data; boundary=x")
        line.putheader("Content-Length", str(size))
        if cookie:
            line.putheader("Cookie", cookie)
        line.endheaders()
        return line.getresponse().status
    except TimeoutError:
        return 0
    finally:
        line.close()


def test_a_large_body_is_taken_only_from_somebody_who_is_logged_in(site: Site) -> None:
    port, cookie, _ = site
    large = web_worker.STRANGER_MAX_BYTES + 1
    assert announce(port, large) == 413
    assert announce(port, large, cookie=f"{cookie.split('=')[0]}=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") == 413
    assert announce(port, large, cookie=cookie) == 0
    assert announce(port, 2**50, cookie=cookie) in (400, 413)


def test_a_body_that_was_kept_in_a_file_arrives_whole(site: Site) -> None:
    port, cookie, _ = site
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    line.request("PUT", "/c/1/add/uploads/1/?offset=0", body=b"x" * (8 * 2**20), headers={"Cookie": cookie})
    answer = line.getresponse()
    assert answer.status == 403  # the CSRF check has read it, and this program sent no token
    answer.read()
    line.close()


def test_an_answer_to_head_is_its_header_alone(site: Site) -> None:
    port, cookie, _ = site
    for path in ("/", "/c/1/frames/", "/static/koma.svg"):
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            lines = (f"HEAD {path} HTTP/1.1", "Host: 127.0.0.1", f"Cookie: {cookie}", "Connection: close", "", "")
            client.sendall("\r\n".join(lines).encode())
            answer = b"".join(iter(lambda line=client: line.recv(65536), b""))
        header, _, body = answer.partition(b"\r\n\r\n")
        assert b"Content-Length: " in header, path
        assert body == b"", path


def test_nothing_of_requests_stays_in_the_data_folder(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    folders = [path for path in Path(tmp_path_factory.getbasetemp()).glob("site*/data/temp") if path.is_dir()]
    assert folders and all(not list(folder.iterdir()) for folder in folders)
    assert folders[0].stat().st_mode & 0o777 == 0o700
