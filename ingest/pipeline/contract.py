"""The interface of stages: read pending work in bounded batches, work on each outside the database, save each at once.

A stage MUST be idempotent: killed at any moment and run again, it ends with the same rows (by natural key) and files.
It MUST be deterministic for the same input and parameters. `batches` MUST be lazy; `work` MUST NOT write to the
database; `save` runs in one transaction that also proves that this worker still holds the claim. Decisions of people
MUST NOT be changed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Generic, TypeVar

from ingest.errors import BadInput
from ingest.models import Collection, Episode, Frame, PipelineRun, StageRun
from ingest.models.frame import FrameQuerySet

Batch = TypeVar("Batch")
Result = TypeVar("Result")


@dataclass(slots=True)
class NoParams:
    """For stages without settings."""


@dataclass(slots=True)
class Context:
    """The context of a running stage. `models` outlives the stage in a persistent process (the gpu queue)."""

    stage_run: StageRun
    run: PipelineRun
    collection: Collection
    episode: Episode | None
    params: Any
    models: dict[str, Any]
    counters: dict[str, int] = field(default_factory=dict)
    log_lines: list[str] = field(default_factory=list)
    total: int = 0
    done: int = 0  # units, including those of an interrupted attempt
    timings: dict[str, float] = field(default_factory=dict)  # seconds by step; shown next to the runner's own
    device: str = ""
    # To be called regularly by work that takes minutes: shows that the batch does not hang; raises Cancelled.
    alive: Callable[[], None] = lambda: None
    # To be called before files are written, with their bytes and the number of pictures. Raises OverQuota.
    spend: Callable[[int, int], None] = lambda size, pictures: None

    def frames(self) -> FrameQuerySet:
        """The kept frames that have a full picture, of the run's episode or of the whole collection."""
        frames = Frame.objects.with_picture().filter(collection=self.collection)
        return frames if self.episode is None else frames.filter(episode=self.episode)

    def count(self, what: str, n: int = 1) -> None:
        """Add to a counter on the run page. Counters are stored with the batch that is being saved."""
        self.counters[what] = self.counters.get(what, 0) + n

    def start_over(self) -> None:
        """Reset the progress, for stages whose batches start over after an interruption."""
        self.done = 0

    def log(self, line: str) -> None:
        """Add a line to the run's log; a text for the user."""
        self.log_lines.append(line)


class Stage(ABC, Generic[Batch, Result]):
    """One step of the pipeline; instances live for one StageRun."""

    name: ClassVar[str]
    label: ClassVar[str]
    about: ClassVar[str] = ""  # what it does; shown on the page that starts a run
    queue: ClassVar[str]  # cpu, gpu, io
    per_episode: ClassVar[bool] = True  # False: one StageRun over the whole collection
    params_type: ClassVar[type] = NoParams
    writes_files: ClassVar[bool] = False  # pictures or crops of its episode, whose size is measured again afterwards
    begins_again: ClassVar[bool] = False  # overwrites files of an earlier pass, which do not count twice
    is_offered: ClassVar[bool] = True  # on the page that starts a run; False: Koma alone starts it

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.is_enabled = True  # False: the collection chose no model for this

    @classmethod
    def by_default(cls) -> bool:
        """Whether runs include this stage by default; False if something it needs is not set up."""
        return True

    def applies(self) -> bool:
        """False if this stage has nothing to do in the episode (pictures have no video to decode)."""
        return self.is_enabled

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """Yield bounded batches of pending work; set `ctx.total` to the units of work when known.

        A stage that yields work of an interrupted attempt again calls `ctx.start_over` first.
        """

    @abstractmethod
    def work(self, batch: Batch) -> Result:
        """The slow part: decode, infer, write files. Must not write to the database."""

    @abstractmethod
    def save(self, result: Result) -> int:
        """Write the rows inside the runner's transaction; return the units done."""

    def finish(self) -> None:
        """Last writes after all batches, inside a transaction."""

    def close(self) -> None:
        """End threads and free memory: after the last batch, a failure or a cancel. May be called early."""


def parse_params(params_type: type, values: dict[str, Any], *, stage: str) -> Any:
    """Build a stage's parameters from JSON values. Raises BadInput with the name of an unknown or wrong value."""
    known = {f.name: f for f in fields(params_type)}
    for name in values:
        if name not in known:
            raise BadInput(f"Stage {stage} has no parameter {name!r}; it has: {', '.join(sorted(known)) or 'none'}.")
    try:
        return params_type(**values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"Stage {stage}: {error}") from error
