"""Decoding pictures and preparing them for models, in a thread or in a separate process (`python -c ... serve(fd)`).

Imports neither Django nor onnxruntime, so that such a process is small and starts quickly.
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

BROKEN = (OSError, UnreadablePicture, BadInput, UnknownName)  # faults of the picture: reported, and the others continue
IDLE_S = 120.0  # a process ends after this idle time; the next pass starts another
# Parameters of glibc's mallopt: trim threshold and mmap threshold.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = (-1, 256 * 2**20), (-3, 32 * 2**20)
Picture = NDArray[np.uint8]
Shape = tuple[int, int, int]


class Fitting(Protocol):
    """The part of a model that a decoding process needs; it is sent there, so it MUST be picklable."""

    def fit(self, picture: Picture) -> Picture: ...


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """Reads a picture of the store below `root`; `name` is its name for the user. Picklable."""

    root: str
    file: str
    name: str

    def __call__(self) -> Picture:
        return read_picture(Store(Path(self.root)).read(self.file), name=self.name).rgb


@dataclass(frozen=True, slots=True)
class Decoded:
    """Result of one picture: its (width, height) or why it cannot be read, and per model why it was refused."""

    size: tuple[int, int] = (0, 0)
    problem: str = ""
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ask:
    """One picture for a process: the row for its bytes, how to read it, the indexes of the models that need it."""

    row: int
    read: Callable[[], Picture]
    models_wanted: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pictures for a process; per model its preparation and its buffer: number, rows, shape of a row.

    A picture that takes longer than `limit_s` ends the process, wherever it hangs.
    """

    limit_s: int
    asks: list[Ask]
    fittings: list[Fitting]
    rooms: list[tuple[int, int, Shape]]


def read_one(
    read: Callable[[], Picture],
    fit_functions: Sequence[Callable[[Picture], Picture]],
    models_wanted: frozenset[int] | None,
    put: Callable[[int, Picture], None],
) -> Decoded:
    """Read a picture and pass each model's bytes to `put(index, bytes)`. Raises only errors not caused by the
    picture."""
    try:
        picture = read()
    except BROKEN as error:
        return Decoded(problem=str(error) or type(error).__name__)
    refused: dict[int, str] = {}
    for place, fit in enumerate(fit_functions):
        if models_wanted is None or place in models_wanted:
            try:
                put(place, fit(picture))
            except BadInput as error:  # this model refuses the picture; others may take it
                refused[place] = str(error)
    return Decoded((picture.shape[1], picture.shape[0]), "", refused)


def serve(handle: int, parent: int) -> None:
    """Main loop of a decoding process: answer chunks from a socket until it closes or `parent` is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent; this process ends with it
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
    """Keep freed memory for the next picture: returning it to the system each time, as glibc does by default, costs a
    third of the decoding time."""
    with suppress(OSError, AttributeError):  # another C library
        library = ctypes.CDLL(None)
        for name, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(name, value)


def _answered(chunk: Chunk, rooms: dict[int, mmap.mmap], parent: int) -> list[Decoded] | BaseException:
    """Return the pictures' results, or an error that was not caused by a picture."""
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
            decoded.append(read_one(ask.read, fit_functions, ask.models_wanted, put))
        return decoded
    except Exception as error:  # noqa: BLE001 - it is raised again where the pictures were asked for
        return _sendable(error)
    finally:
        signal.alarm(0)


def _of_shape(fitted: Picture, shape: tuple[int, ...]) -> Picture:
    if fitted.shape != shape:  # NumPy would broadcast one pixel over all
        raise ValueError(f"a picture was fitted to {fitted.shape}, not to {shape}")
    return fitted


def _sendable(error: Exception) -> Exception:
    try:
        again: Any = reduction.ForkingPickler.loads(reduction.ForkingPickler.dumps(error))
        return error if isinstance(again, Exception) else RuntimeError(repr(error))
    except Exception:  # noqa: BLE001 - an exception of any library
        return RuntimeError(f"{type(error).__name__}: {error}")
