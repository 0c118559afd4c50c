"""Three small stages that leave rows behind, for the tests of the run engine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import BadInput
from ingest.models import Frame, SkippedInput
from ingest.pipeline.contract import Stage

HOOKS: dict[str, object] = {}  # what a test wants to happen inside a batch


@dataclass(slots=True)
class MakeParams:
    frames: int = 6

    def __post_init__(self) -> None:
        if self.frames < 0:
            raise ValueError("frames is 0 or more")


class Make(Stage[list[int], list[int]]):
    """Makes frames, two a batch."""

    name, label, queue, params_type = "make", "Make", "cpu", MakeParams

    def batches(self) -> Iterator[list[int]]:
        have = set(Frame.objects.filter(episode=self.ctx.episode).values_list("index", flat=True))
        todo = [i for i in range(self.ctx.params.frames) if i not in have]
        self.ctx.total = len(todo)
        for start in range(0, len(todo), 2):
            yield todo[start : start + 2]

    def work(self, batch: list[int]) -> list[int]:
        hook = HOOKS.get("make")
        if callable(hook):
            hook(self.ctx, batch)
        return batch

    def save(self, result: list[int]) -> int:
        episode = self.ctx.episode
        assert episode is not None
        Frame.objects.bulk_create(
            Frame(collection=self.ctx.collection, episode=episode, index=i, width=4, height=3) for i in result
        )
        self.ctx.count("made", len(result))
        return len(result)

    def close(self) -> None:
        hook = HOOKS.get("close")
        if callable(hook):
            hook(self.ctx)


class Fussy(Make):
    """Refuses episodes called bad."""

    name, label = "fussy", "Fussy"
    params_type = MakeParams

    def batches(self) -> Iterator[list[int]]:
        assert self.ctx.episode is not None
        if self.ctx.episode.title == "bad":
            raise BadInput("bad.mkv is no video. Replace it.")
        yield from ()


class Count(Stage[None, int]):
    """Counts the collection's frames."""

    name, label, queue, per_episode = "count", "Count", "cpu", False

    def batches(self) -> Iterator[None]:
        yield None

    def work(self, batch: None) -> int:
        return Frame.objects.filter(collection=self.ctx.collection).count()

    def save(self, result: int) -> int:
        SkippedInput.objects.update_or_create(
            collection=self.ctx.collection, episode=None, name="count", defaults={"reason": str(result)}
        )
        return 1


class After(Fussy):
    """Comes to each episode after the count."""

    name, label = "after", "After"


class DeafOnProcessor(Stage[None, None]):
    """Hears nothing for minutes, as a long call into a library; the queue's worker forks."""

    name, label, queue = "deaf_on_processor", "Deaf", "cpu"

    def batches(self) -> Iterator[None]:
        yield None

    def work(self, batch: None) -> None:
        time.sleep(300)

    def save(self, result: None) -> int:
        return 1


class DeafToAll(DeafOnProcessor):
    """A pattern that takes for ever and lets no other thread of its process run meanwhile."""

    name = "deaf_to_all"

    def work(self, batch: None) -> None:
        re.match(r"(?:a+)+$", "a" * 60 + "b")


class DeafOnCard(DeafOnProcessor):
    """The same on the queue whose worker keeps its process."""

    name, queue = "deaf_on_card", "gpu"


class DeafAtTheEnd(DeafOnProcessor):
    """Hears nothing while it gives back what it held."""

    name, queue = "deaf_at_the_end", "gpu"

    def work(self, batch: None) -> None:
        pass

    def close(self) -> None:
        time.sleep(300)
