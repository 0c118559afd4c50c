"""The web server's worker: slow clients hold no thread, and no client holds a connection for ever.

gunicorn starts and watches the processes; in each of them waitress receives requests in one loop and gives a thread
only what has come whole. Answers go out through the same loop. Half a header, half a body or a reader that stopped
reading costs a socket until its time is over; pages are answered all the while.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from pathlib import Path

from gunicorn.workers.base import Worker
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer

HEADER_MAX_S = 15.0  # from the first byte of a request to the end of its header
BODY_GRACE_S = 30.0  # then a body has to come at this pace, on average
BODY_LEAST_BYTES_S = 8 * 1024
FIRST_BYTE_MAX_S = 10.0  # of a new connection: browsers open one or two ahead, and open them again without a word
SILENCE_MAX_S = 60.0  # without a byte in either direction, between requests or while an answer is sent
CONNECTIONS_MAX = 1000  # of one process: a socket and some kilobytes each
# With this many, the oldest idle one is closed for each that comes: who only holds them gives way to who asks.
CONNECTIONS_KEPT = 900  # below CONNECTIONS_MAX, where nobody is let in any more
# From one address, of one process: a browser opens 6 to 30, and an office behind one address has dozens of them.
CONNECTIONS_OF_ONE_MAX = 400
HEADER_MAX_BYTES = 64 * 1024
# What somebody who is not logged in may send: a chunk of an upload, so that whose session has ended is told so.
STRANGER_MAX_BYTES = 9 * 2**20
IN_MEMORY_BYTES = 1 << 20  # of one request or answer; beyond that it waits in an unnamed file of the data folder
THREADS = 16  # few of them make pages at once (`project.timing`); the others send what is made as it goes out
STOP_PATIENCE_S = 3.0


class Request(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a large body by its header, before a byte of it is kept."""

    adj: Limits

    def parse_header(self, header_plus: bytes) -> None:
        """Choose the limit by who sends it. Raises ParsingError (400) where the disk has no room for it, and where the
        length of the body is no number or is told in two ways, of which a proxy may have believed the other one."""
        try:
            super().parse_header(header_plus)
        except ValueError:  # thousands of digits
            raise ParsingError("The request's header is invalid") from None
        if "CONTENT_LENGTH" in self.headers and (self.chunked or "TRANSFER_ENCODING" in self.headers):
            raise ParsingError("Content-Length and Transfer-Encoding do not go together")
        if self.content_length <= STRANGER_MAX_BYTES or not self.adj.may_send(self.headers.get("COOKIE", "")):
            self.adj = self.adj.for_strangers
            return
        if self.content_length > self.adj.room():
            raise ParsingError("There is no space left on the server's disk for this request.")


class Channel(HTTPChannel):  # type: ignore[misc]
    """One connection, which knows since when its request has been coming."""

    parser_class = Request
    begun_at = 0.0
    is_new = True  # no byte of it has come

    def received(self, data: bytes) -> bool:
        """Note when a request begins."""
        self.is_new = False
        if self.request is None:
            self.begun_at = time.monotonic()
        return bool(super().received(data))

    @property
    def address(self) -> str:
        """Of the other end; empty behind a socket of the file system."""
        return str(self.addr[0]) if isinstance(self.addr, tuple) and self.addr[1] else ""

    @property
    def is_idle(self) -> bool:
        """Whether nothing was asked, or nothing more since the last answer went out."""
        return self.request is None and not self.requests and not self.total_outbufs_len

    def is_too_slow(self, now: float) -> bool:
        """Whether the request that is coming takes longer than a header or its body may."""
        request = self.request
        if request is None:
            return False
        took = now - self.begun_at
        if not request.headers_finished:
            return took > HEADER_MAX_S
        return bool(took > BODY_GRACE_S + request.body_bytes_received / BODY_LEAST_BYTES_S)


class Server(TcpWSGIServer):  # type: ignore[misc]
    """Accepts connections for a worker of gunicorn and closes those whose time is over."""

    channel_class = Channel
    worker: BufferedWorker | None = None
    of_one_max = 0  # connections from one address; 0 for any number

    def handle_accept(self) -> None:
        """Take a connection, and close an older one for it where there are too many."""
        count = len(self.active_channels)
        super().handle_accept()
        if len(self.active_channels) > count:
            self.make_room()

    def make_room(self) -> None:
        """Close the oldest idle connection; of an address that has none idle beside too many busy ones, the newest."""
        *older, newest = self.active_channels.values()  # in the order in which they came
        address = newest.address
        alike = [channel for channel in older if channel.address == address] if address and self.of_one_max else []
        if len(alike) >= self.of_one_max > 0:
            next((channel for channel in alike if channel.is_idle), newest).handle_close()
        elif len(older) >= CONNECTIONS_KEPT:
            oldest = next((channel for channel in older if channel.is_idle), None)
            if oldest is not None:
                oldest.handle_close()

    def readable(self) -> bool:
        """Asked in every turn of the loop, about once a second: a sign of life for gunicorn."""
        if self.worker is not None:
            self.worker.turn(self)
        return bool(super().readable())

    def maintenance(self, now: float) -> None:
        """Close what is too slow, silent, or no longer reads its answer."""
        monotonic = time.monotonic()
        for channel in list(self.active_channels.values()):
            silent = channel.last_activity < now - SILENCE_MAX_S
            waiting_for_us = channel.requests and not channel.total_outbufs_len
            mute = channel.is_new and channel.creation_time < now - FIRST_BYTE_MAX_S
            if mute or channel.is_too_slow(monotonic) or (silent and not waiting_for_us):
                channel.handle_close()


class Limits(Adjustments):  # type: ignore[misc]
    """What one process takes in."""

    for_strangers: Limits

    def __init__(self, *, body_max_bytes: int) -> None:
        super().__init__(
            listen="127.0.0.1:8080",  # not listened on: gunicorn has the socket; the default asks for names
            threads=THREADS,
            connection_limit=CONNECTIONS_MAX,
            channel_timeout=int(SILENCE_MAX_S),
            cleanup_interval=1,
            recv_bytes=256 * 1024,
            max_request_header_size=HEADER_MAX_BYTES,
            max_request_body_size=body_max_bytes,
            inbuf_overflow=IN_MEMORY_BYTES,
            outbuf_overflow=IN_MEMORY_BYTES,
            clear_untrusted_proxy_headers=False,  # what counts of them is settled by KOMA_HTTPS_PROXY
            ident="",
            asyncore_use_poll=True,
        )

    def may_send(self, cookies: str) -> bool:
        """Whether the request comes from somebody who is logged in."""
        from project.receiving import is_known

        return is_known(cookies)

    def room(self) -> int:
        """Bytes that a body may still take."""
        from django.conf import settings

        from ingest.imaging.store import free_bytes

        return free_bytes(Path(tempfile.gettempdir())) - int(settings.KOMA_DISK_RESERVE_BYTES)


class BufferedWorker(Worker):  # type: ignore[misc]
    """gunicorn's worker class for `--worker-class`."""

    stopping_since: float | None = None

    def run(self) -> None:
        """Serve until told to stop, or until the master is gone."""
        from django.conf import settings

        from project.receiving import FIELDS_MAX

        folder = Path(settings.KOMA_DATA_DIR) / "temp"  # beside the data: a container's own disk may be read-only
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.tempdir = str(folder)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        limits = Limits(body_max_bytes=settings.KOMA_UPLOAD_MAX_BYTES + FIELDS_MAX)
        limits.for_strangers = Limits(body_max_bytes=STRANGER_MAX_BYTES)
        listener = self.sockets[0]
        listener = getattr(listener, "sock", listener)
        about = (listener.family, listener.type, listener.proto, listener.getsockname())
        server = Server(self.wsgi, {}, _sock=listener, adj=limits, sockinfo=about, bind_socket=False)
        server.worker = self
        server.of_one_max = 0 if settings.KOMA_HTTPS_PROXY else CONNECTIONS_OF_ONE_MAX  # all come from the proxy
        server.run()

    def turn(self, server: Server) -> None:
        """Once in every turn of the loop. Raises SystemExit when it is time to end."""
        self.notify()
        if os.getppid() != self.ppid:
            raise SystemExit
        if self.alive:
            return
        now = time.monotonic()
        if self.stopping_since is None:
            self.stopping_since = now
            server.accepting = False
        busy = any(channel.requests or channel.total_outbufs_len for channel in server.active_channels.values())
        if not busy or now - self.stopping_since > STOP_PATIENCE_S:
            raise SystemExit
