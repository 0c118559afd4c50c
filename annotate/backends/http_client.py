"""The HTTP client for hubs and captioning servers: connections are reused, and each request has its own limits.

httpx over a pool of httpcore, but with its own sockets: all of them can be ended at once, a deadline holds for a
complete exchange, however slowly its bytes arrive, and a wait for bytes can be cancelled.
No proxies, no redirects, no cookies, no logins from addresses or files.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import math
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, cast

import httpcore
import httpx

LISTEN_S = 0.5  # how often a wait checks whether to continue
WAIT_MIN_S, WAIT_MAX_S = 0.05, 86_400.0  # of one wait: a timeout of 0 would mean none, and an infinite one is refused
KEEP_S = 30.0  # idle; a connection that the server closed earlier is noticed before the next request
HEADERS = {"User-Agent": "koma", "Accept-Encoding": "identity"}  # of every request
# Errors of a server, an address or the network.
SERVER_ERRORS = (OSError, httpx.TransportError, httpx.InvalidURL)

# It would log each address, and a hub redirects to signed ones.
logging.getLogger("httpx").setLevel(logging.WARNING)


def nothing() -> None:
    """Do nothing."""


class _Limits(threading.local):
    """The limits of this thread's request; see `HttpClient.stream`."""

    until, quiet_s, listen = math.inf, math.inf, staticmethod(nothing)


class HttpClient:
    """A client whose `on_bytes` is called whenever a server has sent something."""

    def __init__(self, *, tls: bool, keep: int, on_bytes: Callable[[], None] = nothing) -> None:
        """`tls`: whether https addresses are allowed; `keep`: how many idle connections stay open."""
        self._sockets = _Sockets(on_bytes)
        # Loaded once: reading the system's certificates takes 35 ms.
        context = ssl.create_default_context() if tls else None
        pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=None, max_keepalive_connections=keep, keepalive_expiry=KEEP_S,
            network_backend=_Backend(self._sockets),
        )  # fmt: skip
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.Client(
            transport=_Transport(pool),
            cookies=no_cookies,
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(None),
        )

    @contextmanager
    def stream(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None, *, until: float = math.inf,
        quiet_s: float = math.inf, listen: Callable[[], None] = nothing,
    ) -> Iterator[httpx.Response]:  # fmt: skip
        """Yield the response, whose body is read inside by `iter_raw`. `until` (time.monotonic()) limits the complete
        exchange, `quiet_s` each single wait. `listen` is called every LISTEN_S of a wait; what it raises ends it.

        Raises SERVER_ERRORS: TimeoutError, other OSErrors of sockets, and httpx's errors for invalid HTTP.
        """
        limits = self._sockets.limits
        limits.until, limits.quiet_s, limits.listen = until, quiet_s, listen
        request = httpx.Request(method, url, headers=HEADERS | headers, content=body)
        try:
            response = self._client.send(request, stream=True, auth=httpx.Auth(), follow_redirects=False)
            with contextlib.closing(response):
                yield response
        finally:
            limits.listen = nothing

    def end_all(self) -> None:
        """End all open requests, from another thread; no further ones can be made."""
        self._sockets.end_all()

    def close(self) -> None:
        """Close the idle connections."""
        self._client.close()

    def open_sockets(self) -> list[socket.socket]:
        """Return all sockets, of requests and idle ones."""
        return self._sockets.all_open()


def is_unreadable(error: httpx.RemoteProtocolError) -> bool:
    """Return whether the server sent invalid HTTP; otherwise it hung up before sending anything."""
    cause = error.__cause__
    return cause is not None and bool(cause.args) and isinstance(cause.args[0], Exception)


class _Transport(httpx.BaseTransport):
    """A transport with a custom network backend, which httpx's own does not accept."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = httpcore.URL(
            scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path
        )
        with _errors_of_httpx(request):
            response = self._pool.handle_request(
                httpcore.Request(
                    request.method, url, headers=request.headers.raw, content=cast(Iterable[bytes], request.stream)
                )
            )
        stream = _Body(cast(Iterable[bytes], response.stream), request)
        return _Response(response.status, headers=response.headers, stream=stream, extensions=response.extensions)

    def close(self) -> None:
        self._pool.close()


class _Response(httpx.Response):
    @property
    def has_redirect_location(self) -> bool:
        """Return False, so that the caller judges redirects: httpx would parse the location and replace the response
        of a bad one by an error."""
        return False


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes], request: httpx.Request) -> None:
        self._stream, self._request = stream, request

    def __iter__(self) -> Iterator[bytes]:
        with _errors_of_httpx(self._request):
            yield from self._stream

    def close(self) -> None:
        self._stream.close()  # type: ignore[attr-defined]


@contextmanager
def _errors_of_httpx(request: httpx.Request) -> Iterator[None]:
    """Raise httpcore's errors as httpx's classes of the same names; all others pass unchanged."""
    try:
        yield
    except tuple(_ERRORS) as error:
        known = next(_ERRORS[kind] for kind in type(error).__mro__ if kind in _ERRORS)
        raise known(str(error), request=request) from error


_ERRORS: dict[type[Exception], type[httpx.TransportError]] = {
    getattr(httpcore, kind.__name__): kind
    for kind in (
        *(httpx.ConnectTimeout, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout, httpx.TimeoutException),
        *(httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.NetworkError, httpx.UnsupportedProtocol),
        *(httpx.LocalProtocolError, httpx.RemoteProtocolError, httpx.ProtocolError),
    )
}


class _Sockets:
    """All open sockets, and the limits of each thread's request."""

    def __init__(self, on_bytes: Callable[[], None]) -> None:
        self.on_bytes = on_bytes
        self.limits = _Limits()
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = False

    def all_open(self) -> list[socket.socket]:
        with self._guard:
            return list(self._open)

    def end_all(self) -> None:
        with self._guard:
            self._ended = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for bytes

    def seconds_left(self) -> float:
        """Return the limit of this thread's next wait. Raises TimeoutError when no time is left."""
        left: float = min(self.limits.until - time.monotonic(), self.limits.quiet_s, WAIT_MAX_S)
        if left <= 0:
            raise TimeoutError
        return max(WAIT_MIN_S, left)

    def wait(self, connection: socket.socket, event: int) -> None:
        """Wait until a socket can be read or written (`select.POLLIN`, `POLLOUT`). Raises TimeoutError, and what the
        request's `listen` raises."""
        poll = select.poll()
        poll.register(connection, event)
        end = time.monotonic() + self.seconds_left()
        while (left := end - time.monotonic()) > 0:
            if poll.poll(1000 * min(LISTEN_S, left)):
                return
            self.limits.listen()
        raise TimeoutError

    def connect(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that accepts; the deadline holds for all attempts."""
        failed: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(0)
                if (error := connection.connect_ex(address)) == errno.EINPROGRESS:
                    self.wait(connection, select.POLLOUT)
                    error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))  # the matching subclass of OSError
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as problem:
                connection.close()
                if not isinstance(problem, OSError) or time.monotonic() >= self.limits.until:
                    raise
                failed = problem
            else:
                self.add(connection)
                return connection
        raise failed or OSError(f"no address of {host}")

    def add(self, connection: socket.socket, instead_of: socket.socket | None = None) -> None:
        """Register a socket. Raises ConnectionAbortedError after `end_all`."""
        with self._guard:
            if instead_of is not None:
                self._open.discard(instead_of)
            if self._ended:
                connection.close()
                raise ConnectionAbortedError
            self._open.add(connection)

    def discard(self, connection: socket.socket) -> None:
        with self._guard:
            self._open.discard(connection)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, sockets: _Sockets) -> None:
        self._sockets = sockets

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._sockets, self._sockets.connect(host, port))


class _Stream(httpcore.NetworkStream):
    def __init__(self, sockets: _Sockets, connection: socket.socket) -> None:
        self._sockets, self._connection = sockets, connection

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not (isinstance(self._connection, ssl.SSLSocket) and self._connection.pending()):
            self._sockets.wait(self._connection, select.POLLIN)
        self._connection.settimeout(self._sockets.seconds_left())
        data = self._connection.recv(max_bytes)
        if data:
            self._sockets.on_bytes()
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.settimeout(self._sockets.seconds_left())
        try:
            self._connection.sendall(buffer)
        except (
            BrokenPipeError,
            ConnectionResetError,
        ) as error:  # it may have answered already
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._sockets.discard(self._connection)
        self._connection.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._connection.settimeout(self._sockets.seconds_left())
        try:
            secure = ssl_context.wrap_socket(self._connection, server_hostname=server_hostname)
        except OSError:
            self.close()
            raise
        self._sockets.add(secure, instead_of=self._connection)
        return _Stream(self._sockets, secure)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # a readable idle connection was closed by the server
            if self._connection.fileno() < 0:
                return True
            return bool(select.select([self._connection], [], [], 0)[0])
        return self._connection if info == "socket" else None
