"""A set of pictures on their way through the reader: fitted bytes, sizes, problems and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from annotate.backends.contract import Picture
from annotate.backends.feeding.decoding import Decoded
from annotate.backends.runtime.device_memory import HostBuffer
from annotate.backends.runtime.inputs import Fit

Key = TypeVar("Key")
WHOLE_BYTES = 4096 * 4096 * 3  # assumed for a picture that a model takes at full size
SINGLES_BYTES = 128 * 2**20  # per slot, for pictures stored singly


@dataclass(frozen=True, slots=True)
class Item(Generic[Key]):
    """A picture to process. `read` decodes it (in a thread); `wanted` are indexes of models, None for all of them."""

    key: Key
    read: Callable[[], Picture]
    models_wanted: frozenset[int] | None = None

    def wants(self, model: int) -> bool:
        return self.models_wanted is None or model in self.models_wanted


@dataclass(frozen=True, slots=True)
class Answered(Generic[Key]):
    """The models' answers for a picture: one each, None where it was not requested or failed.

    `problem` says why, for the picture or for single models.
    """

    key: Key
    size: tuple[int, int]  # width, height of the decoded picture
    answers: tuple[Any, ...]
    problem: str = ""


class Rows:
    """The fitted bytes for one model: rows of one reused buffer if all have one shape, else single arrays."""

    def __init__(self, model: Any, *, share: bool = False) -> None:
        """`share`: the buffer is written by other processes."""
        network: Any = getattr(model, "network", None)
        spec: Any = getattr(network, "spec", None)
        fixed = spec is not None and spec.fit_by != Fit.MULTIPLE
        self.shape: tuple[int, int, int] | None = (spec.height, spec.width, 3) if fixed else None
        self.single_bytes = 0 if fixed else WHOLE_BYTES if spec is None else spec.height * spec.width * 3
        self._pin = bool(getattr(network, "on_gpu", False))
        self._share = share
        self._buffer: HostBuffer | None = None
        self._single: dict[int, Picture] = {}

    def make_room(self, capacity: int) -> None:
        """Provide a buffer for `capacity` pictures; an existing one is reused if it is large enough."""
        self._single.clear()
        if self.shape is not None and (self._buffer is None or len(self._buffer.array) < capacity):
            self.free()
            self._buffer = HostBuffer((capacity, *self.shape), pin=self._pin, share=self._share)

    @property
    def buffer(self) -> HostBuffer:
        """The buffer for pictures of one shape."""
        assert self._buffer is not None
        return self._buffer

    def put(self, row: int, fitted: Picture) -> None:
        """Store a picture's bytes; each row is written by one thread."""
        if self._buffer is not None and fitted.shape == self.shape:
            self._buffer.array[row] = fitted
        else:
            self._single[row] = fitted

    def batches(self, rows: Sequence[int], step: int) -> Iterator[tuple[list[int], Picture]]:
        """Yield (rows, their bytes [n, h, w, 3]) in batches of at most `step` and one shape, ordered by first row."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for row in rows:
            single = self._single.get(row)
            groups.setdefault(() if single is None else single.shape, []).append(row)
        for members in groups.values():
            for start in range(0, len(members), step):
                chosen = members[start : start + step]
                yield chosen, self.bytes_of(chosen)

    def bytes_of(self, rows: list[int]) -> Picture:
        """Return the bytes [n, h, w, 3] of rows of one shape; a view if the rows are contiguous."""
        if rows[0] in self._single:
            return np.stack([self._single[row] for row in rows])
        assert self._buffer is not None
        if rows[-1] - rows[0] == len(rows) - 1:
            return self._buffer.array[rows[0] : rows[-1] + 1]
        return self._buffer.array[rows]

    def drop_singles(self) -> None:
        """Drop pictures stored singly; the buffer stays for the next ones."""
        self._single.clear()

    def free(self) -> None:
        if self._buffer is not None:
            self._buffer.free()
            self._buffer = None
        self._single.clear()


class Slot(Generic[Key]):
    """A reusable set of pictures, owned by one thread at a time."""

    def __init__(self, models: Sequence[Any], *, share: bool = False) -> None:
        self.rows = [Rows(model, share=share) for model in models]
        self._names = [model.info.name for model in models]
        self.items: list[Item[Key]] = []
        self.sizes: list[tuple[int, int]] = []
        self.problems: list[str] = []
        self.refused: dict[tuple[int, int], str] = {}  # (row, model): why the model refuses the picture
        self.answers: list[list[Any]] = []
        self.reads: list[Future[None]] = []

    def capacity(self, batch: int, *, threads: int) -> int:
        """Return how many pictures a slot takes: full batches and work for every decoding thread; fewer, but one per
        thread, where pictures stored singly might exceed SINGLES_BYTES."""
        full_batches = -(-threads // batch) * batch
        picture_bytes = sum(rows.single_bytes for rows in self.rows)
        return max(threads, min(full_batches, SINGLES_BYTES // picture_bytes)) if picture_bytes else full_batches

    def begin(self, items: list[Item[Key]], *, capacity: int) -> None:
        """Reset the slot to new pictures."""
        self.items = items
        self.sizes = [(0, 0)] * len(items)
        self.problems = [""] * len(items)
        self.refused = {}
        self.answers = [[None] * len(items) for _ in self.rows]
        self.reads = []
        for rows in self.rows:
            rows.make_room(capacity)

    def put(self, row: int, model: int, fitted: Picture) -> None:
        """Store a picture's bytes for a model."""
        self.rows[model].put(row, fitted)

    def take(self, row: int, decoded: Decoded) -> None:
        """Record a picture's result; each row is reported by one thread."""
        self.sizes[row], self.problems[row] = decoded.size, decoded.problem
        for model, why in decoded.refused.items():
            self.refused[row, model] = why

    def rows_wanted(self, model: int) -> list[int]:
        """Return the rows of pictures that were read and that this model is to process."""
        return [
            row
            for row, item in enumerate(self.items)
            if not self.problems[row] and item.wants(model) and (row, model) not in self.refused
        ]

    def answered(self) -> list[Answered[Key]]:
        """Return the results of all pictures in order, and drop pictures stored singly."""
        for rows in self.rows:
            rows.drop_singles()
        return [
            Answered(item.key, self.sizes[row], tuple(column[row] for column in self.answers), self._problem(row))
            for row, item in enumerate(self.items)
        ]

    def _problem(self, row: int) -> str:
        refusals = [
            f"{self._names[model]}: {why}"
            for (refused_row, model), why in sorted(self.refused.items())
            if refused_row == row
        ]
        return self.problems[row] or "; ".join(refusals)

    def free(self) -> None:
        for rows in self.rows:
            rows.free()
