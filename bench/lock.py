"""How long Python's lock is held: a second process samples it some thousand times per second.

The lock's place in the interpreter is found by telling the interpreter a switch interval and looking for it beside
the lock. That is so in CPython 3.11; elsewhere, or where a process may not read another's memory, nothing is reported.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

_INTERVALS = (0.004321, 0.005432)
_SEARCHED = 16_384  # bytes from the beginning of the interpreter's state
_LOCKED = 16  # behind the interval and the last holder
_PAUSE_S = 0.0002


@dataclass(frozen=True, slots=True)
class Held:
    """Share of samples with the lock held, and their number; CPU seconds of the process that went by meanwhile.

    On a busy machine a process also waits for the CPU with the lock held: such waiting is in the share only.
    """

    share: float
    looks: int
    processor: float


class LockWatch:
    """Begin, work, end. `works` is False where the lock cannot be seen: `end` gives None then."""

    def __init__(self) -> None:
        place = _place()
        self._child: subprocess.Popen[str] | None = None
        if place:
            ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1 & (2**64 - 1)), 0, 0, 0)  # any process may look
            self._child = subprocess.Popen(
                [sys.executable, "-c", "from bench.lock import sample; sample()", str(os.getpid()), str(place)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            self.begin()
            time.sleep(0.2)
            if (counts := self.end()) is None or not counts.looks:
                self.close()

    @property
    def works(self) -> bool:
        return self._child is not None

    def begin(self) -> None:
        self._send("begin")

    def end(self) -> Held | None:
        if self._child is None:
            return None
        self._send("end")
        assert self._child.stdout is not None
        words = self._child.stdout.readline().split()
        if len(words) != 3:
            return None
        return Held(int(words[0]) / max(1, int(words[1])), int(words[1]), float(words[2]))

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._child = None

    def _send(self, word: str) -> None:
        if self._child is not None:
            assert self._child.stdin is not None
            try:
                self._child.stdin.write(word + "\n")
                self._child.stdin.flush()
            except BrokenPipeError:
                self.close()


def _place() -> int:
    """Address of the lock's "locked" in this process; 0 when it was not found."""
    if sys.version_info[:2] != (3, 11) or sys.platform != "linux":
        return 0
    state = ctypes.addressof(ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime"))
    before, offsets = sys.getswitchinterval(), []
    try:
        for interval in _INTERVALS:
            sys.setswitchinterval(interval)
            pattern = struct.pack("@L", round(interval * 1e6))
            data = ctypes.string_at(state, _SEARCHED)
            offsets.append({offset for offset in range(0, _SEARCHED, 8) if data[offset : offset + 8] == pattern})
    finally:
        sys.setswitchinterval(before)
    both = offsets[0] & offsets[1]
    return state + both.pop() + _LOCKED if len(both) == 1 else 0


def sample() -> None:
    """In the second process: between "begin" and "end" count samples; then print how many found it held, their total,
    and the CPU time of the first process before those that found it held."""
    process, place = int(sys.argv[1]), int(sys.argv[2])
    memory, clock = os.open(f"/proc/{process}/mem", os.O_RDONLY), ~process << 3 | 2  # its CPU time
    held = looks = 0
    spent, before, counting = 0.0, 0.0, False
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], _PAUSE_S if counting else None)
        if ready:
            word = sys.stdin.readline().strip()
            if word == "end":
                print(held, looks, spent, flush=True)
            elif not word:
                return
            counting, held, looks, spent, before = word == "begin", 0, 0, 0.0, time.clock_gettime(clock)
        elif counting:
            taken = os.pread(memory, 4, place) != b"\0\0\0\0"
            now = time.clock_gettime(clock)
            looks, held, spent = looks + 1, held + taken, spent + taken * (now - before)
            before = now
