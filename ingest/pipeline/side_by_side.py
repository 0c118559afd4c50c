"""Works on the items of a batch in threads, while the caller keeps checking for a cancel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

LISTEN_S = 0.5
Item = TypeVar("Item")
Done = TypeVar("Done")


def side_by_side(
    work: Callable[[Item], Done], items: Sequence[Item], *, threads: int, alive: Callable[[], None]
) -> list[Done]:
    """The results of `work` for each item, in order. `alive` (`Context.alive`) is called every LISTEN_S seconds.

    An exception of either ends the wait at once: no further item is started, and the items in progress are not waited
    for.
    """
    pool = ThreadPoolExecutor(threads)
    try:
        futures = [pool.submit(work, item) for item in items]
        left = set(futures)
        while left:
            done, left = wait(left, timeout=LISTEN_S, return_when="FIRST_EXCEPTION")
            for future in done:
                future.result()
            alive()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
