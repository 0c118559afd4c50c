"""Processes that decode pictures, for networks so fast that threads of one process would wait for Python's GIL.

Pixels return in shared memory; only requests and results go over a socket. A process ends with its parent, after some
idle minutes, and on `close` or `interrupt`. One that crashes costs only the picture that made it crash.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import astuple
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from annotate.backends.feeding.decoding import Ask, Chunk, Decoded, Fitting
from annotate.backends.runtime.device_memory import HostBuffer
from ingest.errors import KomaError
from ingest.imaging import room

DEATHS_MAX = 5  # per pass; more than these are not caused by pictures
PICTURE_MAX_S = 120  # the largest pictures accepted take seconds
_BEGIN = """import sys; sys.path[:] = {path!r}
from annotate.backends.feeding.decoding import serve
from ingest.imaging import room
room.configure(room.Budget(*{budget!r}))
serve({handle}, {parent})
"""


class Interrupted(Exception):
    """The process was ended because its pictures are no longer needed."""


class _Process:
    """One decoding process and its socket; used by one thread at a time."""

    def __init__(self) -> None:
        parent_end, child_end = socket.socketpair()
        with child_end:
            program = _BEGIN.format(
                path=sys.path, budget=astuple(room.shared), handle=child_end.fileno(), parent=os.getpid()
            )
            self.process = subprocess.Popen(
                [sys.executable, "-c", program],
                stdin=subprocess.DEVNULL,
                pass_fds=(child_end.fileno(),),
                start_new_session=True,  # terminal and supervisor signals are for the parent
            )
        self.line = Connection(parent_end.detach())
        self.rooms: set[int] = set()
        self.interrupted = False

    def ask(self, chunk: Chunk, buffers: Sequence[HostBuffer]) -> list[Decoded] | BaseException:
        """Return the pictures' results, or what the process raised. Raises EOFError or OSError when it is gone."""
        for buffer in buffers:
            if buffer.number not in self.rooms:
                self.line.send((buffer.number, buffer.array.nbytes))
                reduction.send_handle(self.line, buffer.shared, self.process.pid)
                self.rooms.add(buffer.number)
        self.line.send(chunk)
        reply: list[Decoded] | BaseException = self.line.recv()
        return reply

    def forget(self) -> None:
        """Release the shared memory."""
        if self.rooms:
            self.line.send(None)
            self.rooms.clear()

    def end(self) -> int:
        """Kill the process if it is alive; return its exit code, negative for a signal."""
        self.process.kill()  # does nothing if it is gone already
        self.line.close()
        return self.process.wait()


class ReadingProcesses:
    """One process per thread that calls `read`, at most `count`; started on demand, kept from pass to pass."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all: set[_Process] = set()
        self._busy: set[_Process] = set()
        self._lock = threading.Lock()
        self._deaths, self._stopped = 0, False
        self._end = weakref.finalize(self, _end_all, self._all)

    def read(self, asks: list[Ask], fittings: Sequence[Fitting], buffers: Sequence[HostBuffer]) -> list[Decoded]:
        """Read pictures; their bytes are written to their rows of each model's shared buffer.

        A picture that crashes its process is reported as a problem. Raises KomaError when too many do, Interrupted
        after `interrupt`, and errors of reading or fitting that a picture did not cause.
        """
        rooms = [(buffer.number, len(buffer.array), buffer.array.shape[1:]) for buffer in buffers]
        chunk = Chunk(PICTURE_MAX_S, asks, list(fittings), rooms)
        process = self._taken()
        try:
            reply = process.ask(chunk, buffers)
        except (EOFError, OSError) as error:
            code = self._buried(process)
            if process.interrupted:
                raise Interrupted from None
            if code == 0:  # it had just ended as idle
                return self.read(asks, fittings, buffers)
            if len(asks) > 1:  # find out which picture it was
                return [decoded for ask in asks for decoded in self.read([ask], fittings, buffers)]
            return [self._died(code, asks[0], error)]
        except BaseException:
            self._give_back(process)
            raise
        self._give_back(process)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def begin(self) -> None:
        """Start a new pass and reset the count of crashes."""
        self._deaths, self._stopped = 0, False

    def interrupt(self) -> None:
        """End the busy processes. Callers that wait, or call before the next `begin`, get Interrupted."""
        with self._lock:
            self._stopped = True
            for process in self._busy:
                process.interrupted = True
                process.process.kill()

    def forget(self) -> None:
        """Release the buffers in all processes after a pass, so that they are really freed."""
        idle = []
        while True:
            try:
                idle.append(self._idle.get_nowait())
            except queue.Empty:
                break
        for process in idle:
            try:
                process.forget()
                self._idle.put(process)
            except OSError:
                self._buried(process)

    def close(self) -> None:
        """End all processes; there must be no reads in progress."""
        self._end()
        self._idle = queue.SimpleQueue()

    def _taken(self) -> _Process:
        while True:
            try:
                process = self._idle.get_nowait()
            except queue.Empty:
                process = self._started()
                with self._lock:
                    self._all.add(process)
            if process.process.poll() is None:
                with self._lock:
                    if not self._stopped:
                        self._busy.add(process)
                        return process
                self._idle.put(process)
                raise Interrupted
            self._buried(process)  # it had ended as idle

    def _started(self) -> _Process:
        try:
            return _Process()
        except OSError as error:
            raise KomaError(
                f"A process that reads pictures could not be started: {error.strerror or error}. Free memory or end "
                "other programs, and press Retry.",
                permanent=False,
            ) from error

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            self._busy.discard(process)
        if process.interrupted:  # it answered, but was killed just afterwards
            self._buried(process)
        else:
            self._idle.put(process)

    def _buried(self, process: _Process) -> int:
        with self._lock:
            self._busy.discard(process)
            self._all.discard(process)
        try:
            return process.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return process.end()
        finally:
            process.line.close()

    def _died(self, code: int, ask: Ask, error: BaseException) -> Decoded:
        name = getattr(ask.read, "name", "") or "a picture"
        how = f"signal {_signal(-code)}" if code < 0 else f"exit code {code}"
        if code == -signal.SIGALRM:
            how = f"after {PICTURE_MAX_S} s"
        with self._lock:
            self._deaths += 1
            deaths = self._deaths
        if deaths >= DEATHS_MAX:
            raise KomaError(
                f"{deaths} processes that read pictures were terminated ({how}), the last one at {name}. The machine "
                "may be short of memory: free some, and press Retry.",
                permanent=False,
            ) from error
        return Decoded(problem=f"{name}: the process that read it was terminated ({how}); the file may be malicious.")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _end_all(processes: set[Any]) -> None:
    for process in list(processes):
        process.end()
    processes.clear()
