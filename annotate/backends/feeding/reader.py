"""One reader for all picture models: each picture is decoded once, in threads, while the device runs earlier ones.

Threads: several that decode and fit, one that copies to the device, one that computes, and one that decodes the
outputs of a GPU while it computes the next ones. Where networks are so fast that Python's GIL would be the bottleneck,
processes decode and the decoding threads only wait for them. Memory is bounded: `SLOTS` sets of fitted pictures
(small sets where a model takes pictures at full size) and one decoded picture per decoding thread. Answers are
returned in order in the caller's thread, the only one that writes them.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic

from annotate.backends.contract import Picture, PictureModel
from annotate.backends.feeding.decoding import Ask, read_one
from annotate.backends.feeding.decoding_processes import Interrupted, ReadingProcesses
from annotate.backends.feeding.reader_batch import BatchSizes
from annotate.backends.feeding.reader_channel import Channel, Closed
from annotate.backends.feeding.reader_slot import Answered, Item, Key, Rows, Slot
from annotate.backends.runtime.device import is_out_of_memory
from annotate.backends.runtime.device_memory import SHARES

__all__ = ["Answered", "Item", "Reader"]

SLOTS = 3  # one is filled, one copied, one computed
THREADS_MAX = 16
CHUNK_MAX = 8  # pictures that a thread takes at once: each switch between threads holds Python's GIL
DECODE, WAIT, COPY, COMPUTE = "decode", "wait", "copy", "compute"


@dataclass(slots=True)
class _Task(Generic[Key]):
    """A batch of rows of a slot for one model; `staged` is None until the device has room for it."""

    slot: Slot[Key]
    model: int
    rows: list[int]
    host: Picture
    staged: Any
    raw: Any = None  # the network's output, if its answers are not decoded yet

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [self.slot.sizes[row] for row in self.rows]


class Reader(Generic[Key]):
    """Feeds models for one pass: `answers` ends all threads, whether it finishes, is abandoned or fails."""

    def __init__(
        self,
        models: Sequence[PictureModel[Any]],
        *,
        threads: int = 0,
        sizes: BatchSizes | None = None,
        processes: ReadingProcesses | None = None,
    ) -> None:
        """`threads`: number of decoding threads (0: by the number of cores); `sizes`: known batch sizes by model and
        device.

        With `processes`, these decode, one thread for each; all models must be `fits_apart` and items' `read`
        picklable.
        """
        if not models:
            raise ValueError("a reader needs at least one model")
        self.models = list(models)
        self.threads = processes.count if processes else threads or cores_for_reading()
        self._processes = processes
        self._answers_apart = [hasattr(model, "answers_of") and _on_gpu(model) for model in models]
        self._fittings = [model.fitting for model in models] if processes else []  # type: ignore[attr-defined]
        batch_sizes = sizes or BatchSizes()
        self.sizes = [batch_sizes.of(model) for model in self.models]
        self._seconds = dict.fromkeys((DECODE, WAIT, COPY, COMPUTE), 0.0)
        self._lock = threading.Lock()
        self._free: deque[Slot[Key]] = deque(Slot[Key](self.models, share=processes is not None) for _ in range(SLOTS))
        self._slots = list(self._free)
        self._filled: Channel[Slot[Key]] = Channel(SLOTS)
        self._ready: Channel[_Task[Key] | Slot[Key]] = Channel(1)
        self._raw: Channel[_Task[Key] | Slot[Key]] = Channel(1)
        self._done: Channel[Slot[Key]] = Channel(SLOTS)
        self._lines = (self._filled, self._ready, self._raw, self._done)
        self._error: BaseException | None = None
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="reader-decode")
        self._workers = [
            threading.Thread(target=self._guarded, args=(work,), name=f"reader-{name}", daemon=True)
            for name, work in (("copy", self._copy), ("compute", self._compute), ("say", self._read_answers))
        ]

    @property
    def timings(self) -> dict[str, float]:
        """Seconds so far: decode (mean of the decoding threads), wait (the device idle), copy, compute."""
        with self._lock:
            return self._seconds | {DECODE: self._seconds[DECODE] / self.threads}

    def answers(self, items: Iterable[Item[Key]]) -> Generator[Answered[Key], None, None]:
        """Yield the models' answers per picture, in order. `items` is consumed in the caller's thread as room comes
        free.

        Raises what a model raised; a picture that cannot be read is reported in its `problem`.
        """
        source, underway, more = iter(items), 0, True
        finished: list[Answered[Key]] = []
        if self._processes:
            self._processes.begin()
        for worker in self._workers:
            worker.start()
        try:
            while more or underway or finished:
                while more and self._free:
                    slot = self._free.popleft()
                    more = self._fill(slot, source)
                    if slot.items:
                        underway += 1
                    else:
                        self._free.append(slot)
                yield from finished  # only now: the next pictures are decoded while the caller writes these
                finished = []
                if underway:
                    slot = self._done.get()
                    underway -= 1
                    finished = slot.answered()
                    self._free.append(slot)
        except Closed:
            raise self._error or RuntimeError("the reader was closed while it was read from") from None
        finally:
            self.close()

    def close(self) -> None:
        """End all threads; on return none is alive and no memory is pinned. May be called repeatedly."""
        for line in self._lines:
            line.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._processes is not None and any(not read.done() for slot in self._slots for read in slot.reads):
            self._processes.interrupt()
        self._pool.shutdown(wait=True)
        for worker in self._workers:
            if worker.is_alive():
                worker.join()
        if self._processes is not None:
            self._processes.forget()
        for slot in self._slots:
            slot.free()
        for model in self.models:
            if (network := getattr(model, "network", None)) is not None:
                network.forget()

    def _fill(self, slot: Slot[Key], source: Iterator[Item[Key]]) -> bool:
        """Start reading the next pictures; False when there are no more."""
        largest = max(size.size for size in self.sizes)
        capacity = slot.capacity(largest, threads=self.threads)
        slot.begin(list(islice(source, capacity)), capacity=capacity)
        count = len(slot.items)
        if count:
            step = max(1, min(CHUNK_MAX, count // self.threads))
            read = self._read_apart if self._processes else self._read
            slot.reads = [
                self._pool.submit(read, slot, range(count)[start : start + step]) for start in range(0, count, step)
            ]
            self._filled.put(slot)
        return count == capacity

    def _read(self, slot: Slot[Key], rows: range) -> None:
        """Read and fit pictures and put their bytes into the slot (in a pool thread)."""
        fit_functions = [model.fit for model in self.models]
        with self._timed(DECODE):
            for row in rows:
                item = slot.items[row]
                slot.take(row, read_one(item.read, fit_functions, item.models_wanted, partial(slot.put, row)))

    def _read_apart(self, slot: Slot[Key], rows: range) -> None:
        """Do the same in a process, for which this thread waits."""
        assert self._processes is not None
        with self._timed(DECODE):
            asks = [Ask(row, slot.items[row].read, slot.items[row].models_wanted) for row in rows]
            replies = self._processes.read(asks, self._fittings, [model_rows.buffer for model_rows in slot.rows])
            for row, decoded in zip(rows, replies, strict=True):
                slot.take(row, decoded)

    def _copy(self) -> None:
        """Thread: copy the bytes of a slot that has been read to the device, batch by batch."""
        while True:
            slot = self._filled.get()
            for read in slot.reads:
                read.result()
            for place in range(len(self.models)):
                for rows, host in slot.rows[place].batches(slot.rows_wanted(place), self.sizes[place].size):
                    self._ready.put(_Task(slot, place, rows, host, self._staged(place, host, forgiving=True)))
            self._ready.put(slot)

    def _staged(self, place: int, host: Picture, *, forgiving: bool = False) -> Any:
        """Stage a batch on the model's device; models without a network copy it themselves."""
        network = getattr(self.models[place], "network", None)
        if network is None:
            return host
        try:
            with self._timed(COPY):
                return network.stage(host)
        except Exception as error:
            if forgiving and is_out_of_memory(error):
                return None  # the computing thread retries once its own batch has left the device
            raise

    def _compute(self) -> None:
        """Thread: run the models, one batch at a time."""
        while True:
            with self._timed(WAIT):
                task = self._ready.get()
            if isinstance(task, Slot):
                self._raw.put(task)
            else:
                self._answer(task)

    def _read_answers(self) -> None:
        """Thread: decode the outputs of networks into answers."""
        while True:
            task = self._raw.get()
            if isinstance(task, Slot):
                self._done.put(task)
            else:
                self._keep(task, self.models[task.model].answers_of(task.raw, task.sizes))  # type: ignore[attr-defined]
                task.raw = None

    def _keep(self, task: _Task[Key], answers: Sequence[Any]) -> None:
        if len(answers) != len(task.rows):
            name = self.models[task.model].info.name
            raise RuntimeError(f"{name} gave {len(answers)} answers for {len(task.rows)} pictures")
        for row, answer in zip(task.rows, answers):
            task.slot.answers[task.model][row] = answer

    def _answer(self, task: _Task[Key]) -> None:
        model, size, count = self.models[task.model], self.sizes[task.model], len(task.rows)
        began = time.perf_counter()
        try:
            staged = self._staged(task.model, task.host) if task.staged is None else task.staged
            with self._timed(COMPUTE):
                if self._answers_apart[task.model]:
                    task.raw = model.computed(staged)  # type: ignore[attr-defined]
                else:
                    answers = model.answer(staged, task.sizes)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            size.ran_out_of_memory(count, model=model.info.name, device=model.device)
        else:
            size.ran(count, time.perf_counter() - began)
            task.staged = None
            if self._answers_apart[task.model]:
                self._raw.put(task)
            else:
                self._keep(task, answers)
            return
        task.staged = staged = None
        if (network := getattr(model, "network", None)) is not None:
            network.forget()
        left = task.rows
        while left:
            rows, left = left[: size.size], left[size.size :]
            self._answer(_Task(task.slot, task.model, rows, task.slot.rows[task.model].bytes_of(rows), None))

    def _guarded(self, work: Any) -> None:
        """Run a thread's work and pass what it raises on to the caller."""
        try:
            work()
        except Closed:
            pass
        except Interrupted:  # the pass is over; its pictures are no longer needed
            for line in self._lines:
                line.close()
        except BaseException as error:  # noqa: BLE001 - it goes on in the caller's thread
            self._error = self._error or error
            for line in self._lines:
                line.close()

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                self._seconds[what] += time.perf_counter() - began


def cores_for_reading() -> int:
    """Return how many threads or processes decode pictures on this machine."""
    return min(THREADS_MAX, max(2, (os.cpu_count() or 2) - 1))


def _on_gpu(model: Any) -> bool:
    return bool(getattr(getattr(model, "network", None), "on_gpu", False))


def fits_apart(model: Any) -> bool:
    """Return whether another process can fit a model's pictures: bytes of one shape, by a picklable `fitting`."""
    return SHARES and hasattr(model, "fitting") and Rows(model).shape is not None
