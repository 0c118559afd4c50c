"""What stages opened and a persistent process keeps for the next one: few, and not for ever."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

KEPT_MOST = 6  # used last; one more is let go after the stage that opened it
IDLE_S = 900.0  # unused for so long, each gives its memory back


class OpenedModels(dict[str, Any]):
    """A stage's `ctx.models` that knows when each was last used. What is let go is closed, where it can be.

    Nothing goes while a stage works (`working`), unless that stage itself asks for room.
    """

    def __init__(self, *, most: int = KEPT_MOST, idle_s: float = IDLE_S) -> None:
        super().__init__()
        self._most, self._idle_s = most, idle_s
        self._used: dict[str, float] = {}  # in order of use, the longest unused first
        self._busy = threading.Lock()

    def __getitem__(self, key: str) -> Any:
        found = super().__getitem__(key)
        self._touch(key)
        return found

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._touch(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As a dict's; counts as a use."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """As a dict's; it is no longer kept, nor closed."""
        self._used.pop(key, None)
        return super().pop(key, *default)

    @contextmanager
    def working(self) -> Iterator[None]:
        """A stage works: nothing goes meanwhile; after it only those used last stay."""
        with self._busy:
            try:
                yield
            finally:
                self._let_go(list(self._used)[: -self._most or None])

    def tidy(self) -> int:
        """Let go what nobody used for long, unless a stage works now; returns how many went. For another thread."""
        if not self._busy.acquire(blocking=False):
            return 0
        try:
            old = time.monotonic() - self._idle_s
            return self._let_go([key for key, at in self._used.items() if at <= old])
        finally:
            self._busy.release()

    def make_room(self) -> int:
        """Let go all models: another one does not fit. One that the stage at work holds stays open with it, so what
        must be closed stays here."""
        return self._let_go([key for key, value in self.items() if not _closers(value)])

    def _touch(self, key: str) -> None:
        self._used.pop(key, None)
        self._used[key] = time.monotonic()

    def _let_go(self, keys: list[str]) -> int:
        for key in keys:
            value = self.pop(key, None)
            for close in _closers(value):
                close()
            del value
        if keys:
            gc.collect()  # sessions hang in circles
        return len(keys)


def _closers(value: Any) -> list[Callable[[], None]]:
    found = [getattr(part, "close", None) for part in (value if isinstance(value, tuple) else (value,))]
    return [close for close in found if callable(close)]
