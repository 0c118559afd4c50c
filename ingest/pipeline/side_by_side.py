"""Work on the items of a batch in threads, while the caller goes on hearing whether the run was cancelled."""

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
    """What `work` makes of each item, in order. `alive` is called every LISTEN_S (`Context.alive`).

    What it raises, and what `work` raises, ends the wait at once: no further item is begun, and nobody waits for the
    two or three that a thread is still busy with.
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
