"""Two copies of one film side by side, through the real stages: the better one is kept, in each kind of pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from django.contrib.auth.models import User
from numpy.typing import NDArray

from annotate.evaluation.copies import COPIES
from demo_film.crops import random_scene
from demo_film.textures import textured
from ingest.actions import runs, sources
from ingest.actions.sources import About
from ingest.models import Collection, Episode, Frame, FrameState, RunState
from ingest.pipeline import registry
from tests.ingest.imaging.films import write_film

pytestmark = pytest.mark.django_db
U8 = NDArray[np.uint8]
Change = Callable[[int, U8], U8]
SCENES = 8
HELD = 4


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Iterator[None]:
    settings.PIPELINE_STAGES = ["ingest.stages.extract.Extract", "ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@dataclass(frozen=True)
class Copy:
    """How a film is encoded: its size, x264's crf, and what is done to each picture (number, picture) before."""

    size: tuple[int, int] = (1280, 720)
    crf: int = 16
    before: Change | None = None  # at the film's own size
    after: Change | None = None  # at `size`

    def write(self, path: Path, pictures: list[U8]) -> Path:
        return write_film(path, list(self._pictures(pictures)), options={"crf": str(self.crf), "preset": "veryfast"})

    def _pictures(self, pictures: list[U8]) -> Iterator[U8]:
        for number, picture in enumerate(pictures):
            changed = picture if self.before is None else self.before(number, picture)
            if (changed.shape[1], changed.shape[0]) != self.size:
                shrinks = changed.shape[1] > self.size[0]
                how = cv2.INTER_AREA if shrinks else cv2.INTER_LANCZOS4
                changed = np.asarray(cv2.resize(changed, self.size, interpolation=how), np.uint8)
            yield changed if self.after is None else self.after(number, changed)


def shrunk(number: int, picture: U8) -> U8:
    return np.asarray(cv2.resize(picture, (854, 480), interpolation=cv2.INTER_AREA), np.uint8)


def subtitled(number: int, picture: U8) -> U8:
    return COPIES["two lines of subtitles"](picture)


def noisy(number: int, picture: U8) -> U8:
    noise = np.random.default_rng(number).normal(0, 6, (*picture.shape[:2], 1))
    return np.asarray(np.clip(picture + noise, 0, 255), np.uint8)


def blurred(number: int, picture: U8) -> U8:
    return COPIES["blurred, sigma 2"](picture)


@pytest.fixture(scope="module")
def pictures() -> list[U8]:
    """A drawn film of 720 lines: scenes of their own places and people, each held for HELD frames."""
    return held(random_scene(np.random.default_rng(seed), (1280, 720))[0] for seed in range(SCENES))


def held(pictures: Iterable[U8]) -> list[U8]:
    return [picture for picture in pictures for _ in range(HELD)]


def kept_of(
    collection: Collection, by: User, folder: Path, pictures: list[U8], one: Copy, two: Copy
) -> tuple[list[Frame], list[Frame]]:
    """Both films in one collection; the frames of each that are kept where the other has a copy of them.

    The second is read first, so that it is also the earlier one.
    """
    episodes = [
        sources.register(
            collection=collection, path=copy.write(folder / f"{name}.mkv", pictures), by=by, about=About(series="Show")
        )
        for name, copy in (("b", two), ("a", one))
    ]
    return compared(collection, by, episodes)


def compared(collection: Collection, by: User, episodes: list[Episode]) -> tuple[list[Frame], list[Frame]]:
    done = runs.run_here(runs.start(collection=collection, episodes=episodes, by=by, params={}))
    assert done.state == RunState.DONE, [stage.error for stage in done.stages.all()]
    worse, better = episodes
    kept_frames = Frame.objects.filter(collection=collection, state=FrameState.KEPT)
    of_better = list(kept_frames.filter(episode=better, copies__episode=worse).distinct())
    return of_better, list(kept_frames.filter(episode=worse, copies__episode=better).distinct())


PAIRS = {
    "720 lines, and a coarse film of 480": (Copy(), Copy((854, 480), 30)),
    "a coarse film of 720 lines, and a fine one of 480": (Copy(crf=28), Copy((854, 480), 14)),
    "one size, fine and coarse": (Copy(), Copy(crf=38)),
    "720 lines, and 480 enlarged to 1080": (Copy(), Copy((1920, 1080), 16, before=shrunk)),
    "sharp and blurred": (Copy(), Copy(after=blurred)),
    "clean and noisy": (Copy(), Copy(crf=14, after=noisy)),
    "without subtitles and with them": (Copy(), Copy(after=subtitled)),
    "720 lines with subtitles, and 360 with them": (Copy(after=subtitled), Copy((640, 360), 20, after=subtitled)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_copies_the_better_one_is_kept(
    collection: Collection, alice: User, tmp_path: Path, pictures: list[U8], pair: str
) -> None:
    better, worse = kept_of(collection, alice, tmp_path, pictures, *PAIRS[pair])
    assert len(better) >= SCENES - 1
    assert not worse


def test_of_a_shot_with_and_without_subtitles_the_clean_frames_are_kept(
    collection: Collection, alice: User, tmp_path: Path, pictures: list[U8]
) -> None:
    """Each picture is on show twice, first with a line of dialogue."""
    film = Copy(after=lambda number, picture: subtitled(number, picture) if number % (2 * HELD) < HELD else picture)
    twice = [picture for picture in pictures[::HELD] for _ in range(2 * HELD)]
    path = film.write(tmp_path / "a.mkv", twice)
    episode = sources.register(collection=collection, path=path, by=alice, about=About(series="Show"))
    done = runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice, params={}))
    assert done.state == RunState.DONE
    pairs = Frame.objects.filter(collection=collection, duplicate_of__isnull=False).select_related("duplicate_of")
    mixed = [(f, f.duplicate_of) for f in pairs if f.duplicate_of and _lines(f) != _lines(f.duplicate_of)]
    assert len(mixed) >= 5
    assert not [remaining.index for _, remaining in mixed if _lines(remaining)]


def _lines(frame: Frame) -> bool:
    """Whether the frame's picture has subtitles, by its number in the film."""
    return frame.index % (2 * HELD) < HELD


def test_of_a_real_film_in_720_and_480_lines_the_larger_copy_is_kept(
    collection: Collection, alice: User, tmp_path: Path, test_data: Path
) -> None:
    with av.open(str(test_data / "video" / "real_cuts_ep01.mp4")) as container:
        frames = [frame for number, frame in enumerate(container.decode(video=0)) if number % 90 == 45]
        pictures = held(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in frames)
    better, worse = kept_of(collection, alice, tmp_path, pictures, Copy(crf=12), Copy((854, 480), 30))
    assert len(better) >= 8
    assert not worse


@pytest.mark.parametrize("texture", ["foliage", "screentone, 10 px", "rain"])
def test_of_a_textured_film_in_720_and_480_lines_the_larger_copy_is_kept(
    collection: Collection, alice: User, tmp_path: Path, texture: str
) -> None:
    pictures = held(textured(texture, seed, (1280, 720)) for seed in range(4))
    better, worse = kept_of(collection, alice, tmp_path, pictures, Copy(), Copy((854, 480), 30))
    assert better
    assert not worse


@pytest.mark.parametrize("texture", ["foliage", "screentone, 6 px", "lines, 16 px", "hatching"])
def test_of_textured_pictures_no_half_size_jpeg_is_kept(
    collection: Collection, alice: User, tmp_path: Path, settings: Any, texture: str
) -> None:
    settings.PIPELINE_STAGES = ["ingest.stages.read_pictures.ReadPictures", "ingest.stages.dedup.Dedup"]
    registry.stages.cache_clear()
    for seed in range(3):
        picture = textured(texture, seed)
        half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(tmp_path / f"{seed} b.png"), picture[..., ::-1])
        cv2.imwrite(str(tmp_path / f"{seed} a.jpg"), half[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    episode = sources.register(collection=collection, path=tmp_path, by=alice, about=About(series="Show"))
    done = runs.run_here(runs.start(collection=collection, episodes=[episode], by=alice, params={}))
    assert done.state == RunState.DONE
    states = dict(Frame.objects.filter(collection=collection).values_list("name", "state"))
    # Descriptors may hold two drawings of foliage for one: that a large picture goes for another large one is theirs.
    assert {name for name, state in states.items() if state == FrameState.KEPT and name.endswith(".jpg")} == set()
    assert FrameState.DROPPED in states.values()
