"""Limits the memory that all processes of this machine use to decode large pictures.

Decoding 100 megapixels takes over a gigabyte. A process reserves a share of a common budget before it decodes a large
picture, and waits while others hold too much. Shares are file locks, which the kernel releases when a process ends.
Small pictures need none, since the number of threads limits them.
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

SMALL_PIXELS = 12_000_000  # pictures up to a little more than 4K reserve nothing
BYTES_PER_PIXEL = 12  # measured: 8.1 for 8 bit RGB, at most 11.6 for translucent 16 bit RGBA
BUDGET_BYTES = 2 * 2**30
SLOTS = 16  # parts of the budget
_RETRY_S = 0.02
_held = threading.local()
_alone = threading.Lock()  # if no folder is configured


@dataclass(frozen=True, slots=True)
class Budget:
    """Size in bytes and the folder of the locks; without a folder the budget is for this process alone."""

    folder: str | None = None
    size: int = BUDGET_BYTES


shared = Budget()


def configure(budget: Budget) -> None:
    """Set the budget of this process; pass `shared` on to processes that it starts."""
    global shared
    shared = budget


@contextmanager
def room_for(pixels: int, *, more_bytes: int = 0) -> Iterator[None]:
    """Reserve memory for a picture of `pixels` and `more_bytes` of intermediate values; waits until it is available.

    Reserves nothing for small pictures, or if this thread already holds a reservation.
    """
    size_bytes = pixels * BYTES_PER_PIXEL + more_bytes
    if size_bytes <= SMALL_PIXELS * BYTES_PER_PIXEL or getattr(_held, "now", False):
        yield
        return
    with _hold_slots(size_bytes):
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
    slots_needed = min(SLOTS, -(-size * SLOTS // shared.size))  # larger pictures take the whole budget
    with contextlib.ExitStack() as held:
        # Only one process collects slots at a time: two with half of them each would wait for ever.
        with _open(folder / "gate") as gate:
            while not _locked(gate):
                time.sleep(_RETRY_S)
            free_slots = list(range(SLOTS))
            while slots_needed:
                for number in tuple(free_slots):
                    slot = _open(folder / f"slot-{number:02}")
                    if slots_needed and _locked(slot):
                        held.enter_context(slot)
                        free_slots.remove(number)
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
