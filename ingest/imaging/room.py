"""Room for the pixels of large pictures, shared by all processes of this machine that read pictures.

A picture of a hundred megapixels takes over a gigabyte while it is decoded. Whoever decodes a large one first takes its
share of one budget and waits while others hold too much of it. Shares are file locks, which the kernel gives back
however a process ends. Small pictures take none: they are bounded by the number of threads.
"""

from __future__ import annotations

import contextlib
import fcntl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SMALL_PIXELS = 12_000_000  # 4K and a little more
BYTES_PER_PIXEL = 12  # at most, measured: 8.1 for 8 bit RGB, 11.6 for RGBA of 16 bits with a veil
BUDGET_BYTES = 2 * 2**30
SLOTS = 16  # parts of the budget
_RETRY_S = 0.02
_held = threading.local()
_alone = threading.Lock()  # where no folder was named


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes for all, and the folder of the locks; None where only this process counts."""

    folder: str | None = None
    size: int = BUDGET_BYTES


shared = Budget()


def configure(budget: Budget) -> None:
    """Say what this process shares with others; `shared` is what to tell a process that it starts."""
    global shared
    shared = budget


@contextmanager
def room_for(pixels: int, *, more_bytes: int = 0) -> Iterator[None]:
    """Hold room for so many pixels, and for `more_bytes` of numbers that a decoder unpacks before they are pixels;
    nothing for small pictures and where this thread holds room already."""
    size = pixels * BYTES_PER_PIXEL + more_bytes
    if size <= SMALL_PIXELS * BYTES_PER_PIXEL or getattr(_held, "now", False):
        yield
        return
    with _hold_slots(size):
        _held.now = True
        try:
            yield
        finally:
            _held.now = False


@contextmanager
def _hold_slots(size: int) -> Iterator[None]:
    if shared.folder is None:
        with _alone:
            yield
        return
    folder = Path(shared.folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    slots_needed = min(SLOTS, -(-size * SLOTS // shared.size))  # what is larger than all waits for all
    with contextlib.ExitStack() as held:
        # One collects at a time, in some order: two that hold a half each would wait for ever.
        with _open(folder / "gate") as gate:
            while not _locked(gate):
                time.sleep(_RETRY_S)
            free = list(range(SLOTS))
            while slots_needed:
                for number in tuple(free):
                    slot = _open(folder / f"slot-{number:02}")
                    if slots_needed and _locked(slot):
                        held.enter_context(slot)
                        free.remove(number)
                        slots_needed -= 1
                    else:
                        slot.close()
                if slots_needed:
                    time.sleep(_RETRY_S)
        yield


def _open(path: Path) -> IO[bytes]:
    return path.open("ab")


def _locked(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
