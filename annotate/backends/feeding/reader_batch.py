"""How many pictures a call of a model gets: as many as memory takes, and no more than make it quicker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingest.errors import BadInput

GAIN = 1.05  # twice the batch must bring this much more pictures a second
START_GPU, LIMIT_GPU = 8, 512
BYTES_MAX = 128 * 2**20  # of a batch; the reader holds three


@dataclass(slots=True)
class BatchSize:
    """Begins at `size`, doubles while that helps, halves when memory runs out; `settled` when it stays.

    On the processor it is 1: larger batches are no quicker there, and answers do not depend on their neighbours.
    """

    size: int = 1
    limit: int = 1
    settled: bool = False
    _best: float = 0.0  # pictures a second
    _best_size: int = 1
    _warm: bool = False

    def ran(self, count: int, seconds: float) -> None:
        """A batch of `count` pictures took so long. The first of each size warms up and is not counted."""
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
        """A batch of `count` did not fit: half of it from now on. BadInput in words when it was a single picture."""
        if count <= 1:
            raise BadInput(
                f"{model} does not fit into the memory of its device ({device}), not even for one picture. "
                "Close what else uses it, choose a smaller model, or device=cpu."
            )
        self.size = self._best_size = min(self.size, max(1, count // 2))
        self.limit, self.settled = self.size, True


class BatchSizes:
    """The sizes found so far, by model and device; kept as long as the process, so that each is found once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], BatchSize] = {}

    def of(self, model: Any) -> BatchSize:
        """The size for a model: what was found before, what its graph prescribes, or where the search begins."""
        info = model.info
        key = (info.name, info.sha256, model.device)
        if key not in self._found:
            self._found[key] = _first(getattr(model, "network", None))
        return self._found[key]

    def put(self, model: Any, size: BatchSize) -> None:
        """Begin a model's search elsewhere."""
        self._found[(model.info.name, model.info.sha256, model.device)] = size


def _first(network: Any) -> BatchSize:
    if network is not None and network.fixed is not None:
        return BatchSize(network.fixed, network.fixed, settled=True)
    if network is not None and network.on_gpu:
        batch_max = BYTES_MAX // (network.spec.width * network.spec.height * 3)
        return BatchSize(min(START_GPU, max(1, batch_max)), min(LIMIT_GPU, max(1, batch_max)))
    return BatchSize(settled=True)
