"""The stage that draws the demo's film, so that a run shows, stops and resumes it like any other work."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

from django.conf import settings

from ingest.actions import sources
from ingest.pipeline.contract import Context, Stage

FILE_NAME = "[Koma] Demo Show - 01 [540p].mp4"
SEED = 1
SECONDS = 40.0
SIZE = (960, 540)


def film_path() -> Path:
    """Where the demo's film is drawn to."""
    path: Path = settings.KOMA_DATA_DIR / "demo" / FILE_NAME
    return path


class DrawDemo(Stage[int, int]):
    """Draws the film of the demo's episode, from its beginning after an interruption."""

    name = "draw_demo"
    label = "Draw the demo episode"
    about = "Draws the film that Koma shows as its demo."
    queue = "cpu"
    is_offered = False

    def __init__(self, ctx: Context) -> None:
        super().__init__(ctx)
        self._steps: Generator[int] | None = None
        self._drawn = 0

    @classmethod
    def by_default(cls) -> bool:
        """Only for the demo's own run."""
        return False

    def applies(self) -> bool:
        """Only for the demo's episode."""
        return self.ctx.episode is not None and self.ctx.episode.source.path == str(film_path())

    def batches(self) -> Iterator[int]:
        """The frames drawn after each step; nothing where the film is there already."""
        from demo_film.film import draw_in_steps, frame_count

        path = film_path()
        if path.is_file():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self.ctx.start_over()
        self.ctx.total = frame_count(SECONDS)
        self._steps = draw_in_steps(path, seed=SEED, seconds=SECONDS, size=SIZE, grain=False)
        while self._drawn < self.ctx.total:
            yield self._drawn

    def work(self, batch: int) -> int:
        """Draw a second of the film; returns its frames."""
        assert self._steps is not None
        self._drawn = next(self._steps)
        return self._drawn - batch

    def save(self, result: int) -> int:
        """The film is its own result."""
        return result

    def finish(self) -> None:
        """Tell the episode how long and large its film is."""
        assert self.ctx.episode is not None
        sources.written(self.ctx.episode)

    def close(self) -> None:
        """Remove what was drawn of a film that is not finished."""
        if self._steps is not None:
            self._steps.close()
