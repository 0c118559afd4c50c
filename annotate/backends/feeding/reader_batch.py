"""Batch sizes: the largest that fits into memory, and no larger than improves throughput."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest.errors import BadInput

GAIN = 1.05  # least gain in pictures per second for doubling the batch
START_GPU, LIMIT_GPU = 8, 512
BYTES_MAX = 128 * 2**20  # per batch; the reader holds three


@dataclass(slots=True)
class BatchSize:
    """Search for a batch size: start at `size`, double while that helps, halve when memory runs out, then `settled`.

    On a CPU it is 1: larger batches are no faster there, and answers do not depend on their neighbours.
    """

    size: int = 1
    limit: int = 1
    settled: bool = False
    _best: float = 0.0  # pictures per second
    _best_size: int = 1
    _warm: bool = False

    def ran(self, count: int, seconds: float) -> None:
        """Record that a batch of `count` pictures took `seconds`. The first of each size is a warm-up and not
        counted."""
        if self.settled or count < self.size:
            return
        if not self._warm:
            self._warm = True
            return
        rate = count / max(seconds, 1e-9)
        if rate < self._best * GAIN:
            self.size, self.settled = self._best_size, True
            return
        self._best, self._best_size, self._warm = rate, self.size, False
        if 2 * self.size > self.limit:
            self.settled = True
        else:
            self.size *= 2

    def ran_out_of_memory(self, count: int, *, model: str, device: str) -> None:
        """Halve the size because a batch of `count` did not fit. Raises BadInput when it was a single picture."""
        if count <= 1:
            raise BadInput(
                f"{model} does not fit into the memory of its device ({device}), not even for one picture. "
                "Free some of it, choose a smaller model, or device=cpu."
            )
        self.size = self._best_size = min(self.size, max(1, count // 2))
        self.limit, self.settled = self.size, True


class BatchSizes:
    """Known sizes by model and device; kept for the life of the process, so that each is searched once."""

    def __init__(self) -> None:
        self._sizes: dict[tuple[str, str, str], BatchSize] = {}

    def of(self, model: Any) -> BatchSize:
        """Return the size for a model: the known one, the one its graph prescribes, or the start of the search."""
        info = model.info
        key = (info.name, info.sha256, model.device)
        if key not in self._sizes:
            self._sizes[key] = _first(getattr(model, "network", None))
        return self._sizes[key]

    def put(self, model: Any, size: BatchSize) -> None:
        """Set where a model's search starts."""
        self._sizes[(model.info.name, model.info.sha256, model.device)] = size


def _first(network: Any) -> BatchSize:
    if network is not None and network.fixed is not None:
        return BatchSize(network.fixed, network.fixed, settled=True)
    if network is not None and network.on_gpu:
        batch_max = BYTES_MAX // (network.spec.width * network.spec.height * 3)
        return BatchSize(min(START_GPU, max(1, batch_max)), min(LIMIT_GPU, max(1, batch_max)))
    return BatchSize(settled=True)
