"""Connections to servers, kept from question to question; each question has limits of time of its own.

The pool is httpcore's (what httpx stands on). The sockets under it are ours, since it must be possible to end them all
at once, since a deadline holds for a whole exchange, however slowly its bytes drip, and since whoever waits for bytes
wants to hear a cancel. No proxies, no redirects.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

LISTEN_S = 0.5  # how often somebody who waits is asked whether to go on
LEAST_S = 0.05  # a timeout of 0 would mean none
KEEP_S = 30.0  # idle; servers close earlier or later, which is seen before the next question


def nothing() -> None:
    """Nobody listens."""


class _Asking(threading.local):
    """The limits of this thread's question: see `Wires.asked`."""

    until, quiet_s, listen = math.inf, math.inf, staticmethod(nothing)


class Wires:
    """A pool of connections. `heard` is called whenever a server has said something."""

    def __init__(self, *, tls: bool, keep: int, heard: Callable[[], None] = nothing) -> None:
        """`tls`: whether an address may begin with https; `keep`: how many idle connections stay open."""
        self._heard = heard
        self._asking = _Asking()
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = False
        # Read once for all: the certificates of the system take 35 ms.
        context = ssl.create_default_context() if tls else None
        self._pool = httpcore.ConnectionPool(
            ssl_context=context, max_connections=None, max_keepalive_connections=keep, keepalive_expiry=KEEP_S,
            network_backend=_Backend(self),
        )  # fmt: skip

    @contextmanager
    def asked(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None = None, *, until: float = math.inf,
        quiet_s: float = math.inf, listen: Callable[[], None] = nothing,
    ) -> Iterator[httpcore.Response]:  # fmt: skip
        """The answer, whose bytes are read inside; `until` by time.monotonic() holds for all of it, `quiet_s` for each
        wait alone. `listen` is called every LISTEN_S of a wait, and what it raises ends it.

        Raises TimeoutError, other OSErrors as sockets do, httpcore's errors for what is no HTTP.
        """
        asking = self._asking
        asking.until, asking.quiet_s, asking.listen = until, quiet_s, listen
        try:
            with self._pool.stream(method, url, headers=list(headers.items()), content=body) as answer:
                yield answer
        finally:
            asking.listen = nothing

    def end_all(self) -> None:
        """End all questions that are out, from another thread; no further one can be asked."""
        with self._guard:
            self._ended = True
            for wire in self._open:
                with contextlib.suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for bytes

    def close(self) -> None:
        """Close what is idle."""
        self._pool.close()

    def left(self) -> float:
        """Seconds that this thread's next wait may take. Raises TimeoutError where there are none."""
        left: float = min(self._asking.until - time.monotonic(), self._asking.quiet_s)
        if left <= 0:
            raise TimeoutError
        return max(LEAST_S, left)

    def wait(self, wire: socket.socket, event: int) -> None:
        """Until something can be read or written (`select.POLLIN`, `POLLOUT`). Raises TimeoutError, and what `listen`
        of the question raises."""
        poll = select.poll()
        poll.register(wire, event)
        end = time.monotonic() + self.left()
        while (left := end - time.monotonic()) > 0:
            if poll.poll(1000 * min(LISTEN_S, left)):
                return
            self._asking.listen()
        raise TimeoutError

    def connected(self, host: str, port: int) -> socket.socket:
        """A socket to the first address that takes us; the deadline holds for all of them."""
        failed: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            wire = socket.socket(family, kind, protocol)
            try:
                wire.settimeout(0)
                if (error := wire.connect_ex(address)) == errno.EINPROGRESS:
                    self.wait(wire, select.POLLOUT)
                    error = wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, os.strerror(error))  # the kind of OSError that belongs to it
                wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException as problem:
                wire.close()
                if not isinstance(problem, OSError) or time.monotonic() >= self._asking.until:
                    raise
                failed = problem
            else:
                self.noted(wire)
                return wire
        raise failed or OSError(f"no address of {host}")

    def noted(self, wire: socket.socket, instead_of: socket.socket | None = None) -> None:
        """Add an open socket. Raises ConnectionAbortedError after `end_all`."""
        with self._guard:
            if instead_of is not None:
                self._open.discard(instead_of)
            if self._ended:
                wire.close()
                raise ConnectionAbortedError
            self._open.add(wire)

    def forgotten(self, wire: socket.socket) -> None:
        with self._guard:
            self._open.discard(wire)

    def heard(self) -> None:
        self._heard()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, wires: Wires) -> None:
        self._wires = wires

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._wires, self._wires.connected(host, port))


class _Stream(httpcore.NetworkStream):
    def __init__(self, wires: Wires, wire: socket.socket) -> None:
        self._wires, self._wire = wires, wire

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if not (isinstance(self._wire, ssl.SSLSocket) and self._wire.pending()):
            self._wires.wait(self._wire, select.POLLIN)
        self._wire.settimeout(self._wires.left())
        data = self._wire.recv(max_bytes)
        if data:
            self._wires.heard()
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._wire.settimeout(self._wires.left())
        try:
            self._wire.sendall(buffer)
        except (BrokenPipeError, ConnectionResetError) as error:  # it may have answered already: that is read then
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._wires.forgotten(self._wire)
        self._wire.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._wire.settimeout(self._wires.left())
        try:
            secure = ssl_context.wrap_socket(self._wire, server_hostname=server_hostname)
        except OSError:
            self.close()
            raise
        self._wires.noted(secure, instead_of=self._wire)
        return _Stream(self._wires, secure)

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # an idle connection that is has been closed by the server
            return bool(select.select([self._wire], [], [], 0)[0]) if self._wire.fileno() >= 0 else True
        return self._wire if info == "socket" else None
