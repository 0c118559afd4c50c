"""Keeps a limited number of opened models in a persistent process for the next stage."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MODELS_MAX = 6  # the most recently used; others are released after each stage
IDLE_S = 900.0  # unused models are released after this time


class OpenedModels(dict[str, Any]):
    """A stage's `ctx.models`, which records when each was last used. Released models are closed if they can be.

    Nothing is released while a stage works (`working`), unless the stage itself calls `make_room`.
    """

    def __init__(self, *, models_max: int = MODELS_MAX, idle_s: float = IDLE_S) -> None:
        super().__init__()
        self._models_max, self._idle_s = models_max, idle_s
        self._used: dict[str, float] = {}  # in order of use, the longest unused first
        self._busy = threading.Lock()

    def __getitem__(self, key: str) -> Any:
        model = super().__getitem__(key)
        self._touch(key)
        return model

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        self._touch(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As `dict.setdefault`; counts as a use."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """As `dict.pop`; the model is neither kept nor closed."""
        self._used.pop(key, None)
        return super().pop(key, *default)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Release nothing while a stage works; afterwards keep only the most recently used."""
        with self._busy:
            try:
                yield
            finally:
                self._release(list(self._used)[: -self._models_max or None])

    def tidy(self) -> int:
        """Release unused models, unless a stage is working; returns their number. For another thread."""
        if not self._busy.acquire(blocking=False):
            return 0
        try:
            unused_since = time.monotonic() - self._idle_s
            return self._release([key for key, used_at in self._used.items() if used_at <= unused_since])
        finally:
            self._busy.release()

    def make_room(self) -> int:
        """Release all models, since another one does not fit; returns their number. Models that must be closed stay,
        because the working stage may use them."""
        return self._release([key for key, value in self.items() if not _closers(value)])

    def _touch(self, key: str) -> None:
        self._used.pop(key, None)
        self._used[key] = time.monotonic()

    def _release(self, keys: list[str]) -> int:
        for key in keys:
            value = self.pop(key, None)
            for close in _closers(value):
                close()
            del value
        if keys:
            gc.collect()  # sessions have reference cycles
        return len(keys)


def _closers(value: Any) -> list[Callable[[], None]]:
    closers = [getattr(part, "close", None) for part in (value if isinstance(value, tuple) else (value,))]
    return [close for close in closers if callable(close)]
