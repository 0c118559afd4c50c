"""Reads pictures and fits them for models: in a thread, or in a process of its own (`python -c ... serve(fd)`).

Knows neither Django nor onnxruntime, so that such a process is small and begins at once.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import reduction
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ingest.errors import BadInput
from ingest.imaging.decode import UnreadablePicture, read_picture
from ingest.imaging.store import Store, UnknownName

BROKEN = (OSError, UnreadablePicture, BadInput, UnknownName)  # the picture's fault: told, and the others go on
IDLE_S = 120.0  # a process that nobody asks for so long ends; the next pass starts another
# Of glibc's mallopt: free memory that is given back, and pieces that are asked of the system one by one.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 256 * 2**20), (-3, 32 * 2**20)
Picture = NDArray[np.uint8]
Shape = tuple[int, int, int]


class Fitting(Protocol):
    """What of a model a reading process needs; it travels there, so it MUST be picklable."""

    def fit(self, picture: Picture) -> Picture: ...


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """Reads a picture of the store below `root`; `name` is what the user knows it by. Can be sent to a process."""

    root: str
    file: str
    name: str

    def __call__(self) -> Picture:
        return read_picture(Store(Path(self.root)).read(self.file), name=self.name).rgb


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one picture: its (width, height), or why it cannot be read; by model why that refused it."""

    size: tuple[int, int] = (0, 0)
    problem: str = ""
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One picture for a process: the row of its bytes, how it is read, the places of the models that want it."""

    row: int
    read: Callable[[], Picture]
    wanted: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pictures for a process, and for each model what fits them and its room: number, rows, shape of a row.

    A picture that takes longer than `limit_s` ends the process, whatever it hangs in.
    """

    limit_s: int
    asks: list[Ask]
    fittings: list[Fitting]
    rooms: list[tuple[int, int, Shape]]


def read_one(
    read: Callable[[], Picture],
    fits: Sequence[Callable[[Picture], Picture]],
    wanted: frozenset[int] | None,
    put: Callable[[int, Picture], None],
) -> Told:
    """Read a picture, hand each model's bytes to `put(place, bytes)`. Raises what is nobody's fault but the code's."""
    try:
        picture = read()
    except BROKEN as error:
        return Told(problem=str(error) or type(error).__name__)
    refused: dict[int, str] = {}
    for place, fit in enumerate(fits):
        if wanted is None or place in wanted:
            try:
                put(place, fit(picture))
            except BadInput as error:  # this model does not take this picture; others may
                refused[place] = str(error)
    return Told((picture.shape[1], picture.shape[0]), "", refused)


def serve(handle: int, parent: int) -> None:
    """The life of a reading process: answers chunks that come over a socket until that closes or `parent` is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, with whom this process ends
    cv2.setNumThreads(1)
    _keep_memory()
    rooms: dict[int, mmap.mmap] = {}
    with Connection(handle) as line:
        try:
            while line.poll(IDLE_S):
                request = line.recv()
                if isinstance(request, Chunk):
                    line.send(_answered(request, rooms, parent))
                elif request is None:
                    rooms.clear()
                else:
                    number, size = request
                    handle_received = reduction.recv_handle(line)
                    rooms[number] = mmap.mmap(handle_received, size)
                    os.close(handle_received)
        except (EOFError, ConnectionError):
            pass


def _keep_memory() -> None:
    """A picture's memory stays for the next picture: given back and taken anew each time, as glibc does by itself, it
    costs a third of reading a picture."""
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        for name, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(name, value)


def _answered(chunk: Chunk, rooms: dict[int, mmap.mmap], parent: int) -> list[Told] | BaseException:
    """What became of the pictures, or the error that a picture cannot be blamed for."""
    try:
        fit_functions = [fitting.fit for fitting in chunk.fittings]
        arrays = [
            np.frombuffer(rooms[number], np.uint8, count=rows * shape[0] * shape[1] * shape[2]).reshape(rows, *shape)
            for number, rows, shape in chunk.rooms
        ]
        decoded = []
        for ask in chunk.asks:
            if os.getppid() != parent:
                sys.exit(0)

            def put(place: int, fitted: Picture, row: int = ask.row) -> None:
                arrays[place][row] = _of_shape(fitted, arrays[place].shape[1:])

            signal.alarm(chunk.limit_s)
            decoded.append(read_one(ask.read, fit_functions, ask.wanted, put))
        return decoded
    except Exception as error:  # noqa: BLE001 - it is raised again where the pictures were asked for
        return _sendable(error)
    finally:
        signal.alarm(0)


def _of_shape(fitted: Picture, shape: tuple[int, ...]) -> Picture:
    if fitted.shape != shape:  # numpy would stretch one pixel over all
        raise ValueError(f"a picture was fitted to {fitted.shape}, not to {shape}")
    return fitted


def _sendable(error: Exception) -> Exception:
    try:
        again: Any = reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(error))
        return error if isinstance(again, Exception) else RuntimeError(repr(error))
    except Exception:  # noqa: BLE001 - an exception of any library
        return RuntimeError(f"{type(error).__name__}: {error}")
