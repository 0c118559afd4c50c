"""What a stage is: it reads pending work in bounded batches, works on each outside the database, saves each at once.

A stage MUST be idempotent: killed at any moment and run again it ends with the same rows (by natural key) and files.
It MUST be deterministic for the same input and parameters. `batches` MUST be lazy; `work` MUST NOT write to the
database; `save` runs in one transaction that also proves that this worker still holds the claim. A person's word is
never changed.
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
    """For stages without choices."""


@dataclass(slots=True)
class Context:
    """What a stage knows while it runs. `models` outlives the stage in a persistent process (the gpu queue)."""

    stage_run: StageRun
    run: PipelineRun
    collection: Collection
    episode: Episode | None
    params: Any
    models: dict[str, Any]
    counters: dict[str, int] = field(default_factory=dict)
    log_lines: list[str] = field(default_factory=list)
    total: int = 0
    done: int = 0  # what an interrupted attempt saved counts
    timings: dict[str, float] = field(default_factory=dict)  # seconds by place; shown beside the runner's own
    device: str = ""
    # For work that takes minutes: called now and then it tells that the batch does not hang, and raises Cancelled.
    alive: Callable[[], None] = lambda: None
    # Before files are written: their bytes, and how many pictures they are. Raises OverQuota.
    spend: Callable[[int, int], None] = lambda size, pictures: None

    def frames(self) -> FrameQuerySet:
        """The kept frames that have a full picture, of the run's episode or of the whole collection."""
        frames = Frame.objects.with_picture().filter(collection=self.collection)
        return frames if self.episode is None else frames.filter(episode=self.episode)

    def count(self, what: str, n: int = 1) -> None:
        """Add to a counter that the run page shows. Counters are kept with the batch that is being saved."""
        self.counters[what] = self.counters.get(what, 0) + n

    def start_over(self) -> None:
        """For stages whose batches begin again after an interruption: so does their progress."""
        self.done = 0

    def log(self, line: str) -> None:
        """A line for the run's log, in words for the user."""
        self.log_lines.append(line)


class Stage(ABC, Generic[Batch, Result]):
    """One step of the pipeline; instances live for one StageRun."""

    name: ClassVar[str]
    label: ClassVar[str]
    about: ClassVar[str] = ""  # what it does, in words for the page that starts a run
    queue: ClassVar[str]  # cpu, gpu, io
    per_episode: ClassVar[bool] = True  # False: one StageRun over the whole collection
    params_type: ClassVar[type] = NoParams
    writes_files: ClassVar[bool] = False  # pictures or crops of its episode: their size is measured again after it
    begins_again: ClassVar[bool] = False  # writes over what an earlier pass wrote, so that counts no second time

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.wanted = True  # False: the collection chose no model for this

    @classmethod
    def by_default(cls) -> bool:
        """Whether a run takes this stage without being asked for it; False where it needs what is not set up."""
        return True

    def applies(self) -> bool:
        """False when there is nothing for this stage in the episode (pictures have no video to decode)."""
        return self.wanted

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """Yield bounded batches of what is still to do; set `ctx.total` to their units of work when known.

        A stage that also yields what an interrupted attempt has saved calls `ctx.start_over` first.
        """

    @abstractmethod
    def work(self, batch: Batch) -> Result:
        """The slow part: decode, infer, write files. No database writes."""

    @abstractmethod
    def save(self, result: Result) -> int:
        """Write the rows, inside the runner's transaction; return the units done."""

    def finish(self) -> None:
        """Last writes after all batches, inside a transaction."""

    def close(self) -> None:
        """End threads and give memory back: after the last batch, a failure or a cancel. It may be called early."""


def parse_params(params_type: type, values: dict[str, Any], *, stage: str) -> Any:
    """Build a stage's Params dataclass from JSON values; an unknown name or a wrong type is refused with its name."""
    known = {f.name: f for f in fields(params_type)}
    for name in values:
        if name not in known:
            raise BadInput(f"Stage {stage} has no parameter {name!r}; it has: {', '.join(sorted(known)) or 'none'}.")
    try:
        return params_type(**values)
    except (TypeError, ValueError) as error:
        raise BadInput(f"Stage {stage}: {error}") from error
