"""The offline guard: tests reach this machine only."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any


class ReachedOutside(AssertionError):
    """A test tried to talk to another machine."""


def _outside(address: Any) -> bool:
    if not isinstance(address, tuple):  # a path: a Unix socket
        return False
    host = str(address[0])
    if host in {"", "localhost", "testserver"}:
        return False
    try:
        return not ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return True


def guard() -> None:
    """Make every connection and name look-up of this process to another machine fail, for good."""
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def checked_connect(self: socket.socket, address: Any) -> None:
        if _outside(address):
            raise ReachedOutside(f"a test tried to connect to {address!r}")
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        if _outside(address):
            raise ReachedOutside(f"a test tried to connect to {address!r}")
        return connect_ex(self, address)

    def checked_look_up(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and _outside((name,)) and name != socket.gethostname():
            raise ReachedOutside(f"a test tried to look up {name!r}")
        return look_up(host, *rest, **named)

    socket.socket.connect = checked_connect  # type: ignore[method-assign,assignment]
    socket.socket.connect_ex = checked_connect_ex  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = checked_look_up
