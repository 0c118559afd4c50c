"""A handful of pictures on their way through the reader: their fitted bytes, sizes, problems and answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from annotate.backends.contract import Picture
from annotate.backends.feeding.decoding import Told
from annotate.backends.runtime.device_memory import HostBuffer
from annotate.backends.runtime.inputs import Fit

Key = TypeVar("Key")
WHOLE_BYTES = 4096 * 4096 * 3  # reckoned for a picture that a model takes as it is
SINGLES_BYTES = 128 * 2**20  # of a slot, for pictures that lie singly


@dataclass(frozen=True, slots=True)
class Item(Generic[Key]):
    """A picture to be looked at. `read` decodes it (in a thread); `wanted` are places of models, None: all of them."""

    key: Key
    read: Callable[[], Picture]
    wanted: frozenset[int] | None = None

    def wants(self, model: int) -> bool:
        return self.wanted is None or model in self.wanted


@dataclass(frozen=True, slots=True)
class Looked(Generic[Key]):
    """What the models said of a picture: an answer each, None where it was not wanted or could not be given.

    `problem` says in words why, of the picture or of single models.
    """

    key: Key
    size: tuple[int, int]  # width, height of the decoded picture
    answers: tuple[Any, ...]
    problem: str = ""


class Rows:
    """The fitted bytes of one model: rows of one reused buffer where all have one shape, else single arrays."""

    def __init__(self, model: Any, *, share: bool = False) -> None:
        """`share`: other processes write the bytes."""
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
        """A buffer for so many pictures; the one that is there serves if it is large enough."""
        self._single.clear()
        if self.shape is not None and (self._buffer is None or len(self._buffer.array) < capacity):
            self.free()
            self._buffer = HostBuffer((capacity, *self.shape), pin=self._pin, share=self._share)

    @property
    def buffer(self) -> HostBuffer:
        """Where there is room for pictures of one shape."""
        assert self._buffer is not None
        return self._buffer

    def put(self, row: int, fitted: Picture) -> None:
        """Keep a picture's bytes; each row is written by one thread."""
        if self._buffer is not None and fitted.shape == self.shape:
            self._buffer.array[row] = fitted
        else:
            self._single[row] = fitted

    def batches(self, rows: Sequence[int], step: int) -> Iterator[tuple[list[int], Picture]]:
        """(rows, their bytes [n, h, w, 3]) in batches of at most `step` and one shape each, in order of first rows."""
        groups: dict[tuple[int, ...], list[int]] = {}
        for row in rows:
            single = self._single.get(row)
            groups.setdefault(() if single is None else single.shape, []).append(row)
        for members in groups.values():
            for start in range(0, len(members), step):
                chosen = members[start : start + step]
                yield chosen, self.bytes_of(chosen)

    def bytes_of(self, rows: list[int]) -> Picture:
        """Bytes [n, h, w, 3] of rows of one shape; a view where they lie side by side."""
        if rows[0] in self._single:
            return np.stack([self._single[row] for row in rows])
        assert self._buffer is not None
        if rows[-1] - rows[0] == len(rows) - 1:
            return self._buffer.array[rows[0] : rows[-1] + 1]
        return self._buffer.array[rows]

    def drop_singles(self) -> None:
        """Nobody needs the slot's pictures any more; the buffer stays for the next ones."""
        self._single.clear()

    def free(self) -> None:
        if self._buffer is not None:
            self._buffer.free()
            self._buffer = None
        self._single.clear()


class Slot(Generic[Key]):
    """Used again and again; at any time one thread has it."""

    def __init__(self, models: Sequence[Any], *, share: bool = False) -> None:
        self.rows = [Rows(model, share=share) for model in models]
        self._names = [model.info.name for model in models]
        self.items: list[Item[Key]] = []
        self.sizes: list[tuple[int, int]] = []
        self.problems: list[str] = []
        self.refused: dict[tuple[int, int], str] = {}  # (row, model): why the model does not take the picture
        self.answers: list[list[Any]] = []
        self.reads: list[Future[None]] = []

    def capacity(self, batch: int, *, threads: int) -> int:
        """How many pictures: whole batches and work for every reading thread; fewer, but one a thread, where singles
        of that many pictures may be more than SINGLES_BYTES."""
        full_batches = -(-threads // batch) * batch
        picture_bytes = sum(rows.single_bytes for rows in self.rows)
        return max(threads, min(full_batches, SINGLES_BYTES // picture_bytes)) if picture_bytes else full_batches

    def begin(self, items: list[Item[Key]], *, capacity: int) -> None:
        """Take new pictures."""
        self.items = items
        self.sizes = [(0, 0)] * len(items)
        self.problems = [""] * len(items)
        self.refused = {}
        self.answers = [[None] * len(items) for _ in self.rows]
        self.reads = []
        for rows in self.rows:
            rows.make_room(capacity)

    def put(self, row: int, model: int, fitted: Picture) -> None:
        """Keep a picture's bytes for a model."""
        self.rows[model].put(row, fitted)

    def tell(self, row: int, told: Told) -> None:
        """What became of a picture; each row is told by one thread."""
        self.sizes[row], self.problems[row] = told.size, told.problem
        for model, why in told.refused.items():
            self.refused[row, model] = why

    def wanted(self, model: int) -> list[int]:
        """Rows of pictures that were read and that this model is to see."""
        return [
            row
            for row, item in enumerate(self.items)
            if not self.problems[row] and item.wants(model) and (row, model) not in self.refused
        ]

    def looked(self) -> list[Looked[Key]]:
        """All pictures in order; what lay singly is let go."""
        for rows in self.rows:
            rows.drop_singles()
        return [
            Looked(item.key, self.sizes[row], tuple(column[row] for column in self.answers), self._problem(row))
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
