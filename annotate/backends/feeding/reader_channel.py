"""A bounded queue between two threads that either end can close at once."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Element = TypeVar("Element")


class Closed(Exception):
    """The channel was closed: whoever waited on it ends."""


class Channel(Generic[Element]):
    """A FIFO queue of at most `length` items; `put` waits for room and `get` for an item, until it is closed."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._elements: deque[Element] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, element: Element) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._elements) < self._length)
            if self._closed:
                raise Closed
            self._elements.append(element)
            self._changed.notify_all()

    def get(self) -> Element:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._elements)
            if self._closed:
                raise Closed
            element = self._elements.popleft()
            self._changed.notify_all()
            return element

    def close(self) -> None:
        """End every wait, now and later, and drop what is queued."""
        with self._changed:
            self._closed = True
            self._elements.clear()
            self._changed.notify_all()
