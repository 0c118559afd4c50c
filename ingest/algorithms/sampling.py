"""Selects one frame per interval of time."""

from __future__ import annotations


class Interval:
    """True for the first frame at or after each multiple of `every_s` seconds, counted from the first frame."""

    def __init__(self, every_s: float) -> None:
        if not every_s > 0:
            raise ValueError("the interval must be more than 0 seconds")
        self._every, self._taken = every_s, -1

    def add(self, time_s: float) -> bool:
        """Whether the frame at `time_s` (seconds) is taken, with a tolerance of half a millisecond."""
        number = int((time_s + 0.0005) / self._every)
        if number <= self._taken:
            return False
        self._taken = number
        return True
