"""A film becomes shots, frames and files; interrupted or repeated runs end with the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User

from ingest.actions import runs, sources
from ingest.actions.sources import About
from ingest.errors import BadInput
from ingest.imaging.store import Store
from ingest.models import Collection, Episode, Frame, FrameState, PipelineRun, RunState, Shot, StageRun
from ingest.pipeline import progress, registry
from ingest.stages import extract
from tests.ingest.imaging.films import scene, with_mouth, write_film


@pytest.fixture(autouse=True)
def _stages(settings: Any) -> Any:
    settings.PIPELINE_STAGES = ["ingest.stages.extract.Extract"]
    registry.stages.cache_clear()
    yield
    registry.stages.cache_clear()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    black = np.zeros((180, 320, 3), np.uint8)
    talk = [with_mouth(scene(1), opening) for opening in (0, 0, 0, 6, 6, 6, 3, 3, 3, 0, 0, 6)]
    pictures = talk + [scene(2)] * 8 + [black] * 4 + [scene(3)] * 8
    return write_film(tmp_path_factory.mktemp("film") / "Show - 04.mkv", pictures, options={"crf": "12"})


@pytest.fixture()
def episode(collection: Collection, alice: User, film: Path) -> Episode:
    return sources.register(collection=collection, path=film, by=alice, about=About(series="Show"))


def run(episode: Episode, alice: User, **choices: Any) -> PipelineRun:
    params = {"extract": choices} if choices else {}
    started = runs.start(collection=episode.collection, episodes=[episode], by=alice, params=params)
    return runs.run_here(started)


def rows(episode: Episode) -> list[tuple[Any, ...]]:
    fields = (
        "index", "shot__index", "pts", "time_s", "end_s", "run_length", "width", "height", "file", "preview",
        "placeholder", "descriptor", "quality", "measures", "state", "reason",
    )  # fmt: skip
    return [
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row)
        for row in Frame.objects.filter(episode=episode).order_by("index").values_list(*fields)
    ]


def test_drawings_become_rows_with_files(episode: Episode, alice: User, settings: Any) -> None:
    done = run(episode, alice)
    assert done.state == RunState.DONE
    frames = list(Frame.objects.filter(episode=episode).select_related("shot").order_by("index"))
    assert [(f.shot.index if f.shot else None, f.run_length, f.state, f.reason) for f in frames] == [
        (0, 5, "kept", ""),
        (0, 4, "kept", ""),
        (0, 3, "kept", ""),
        (1, 8, "kept", ""),
        (1, 4, "dropped", "black"),
        (2, 8, "kept", ""),
    ]
    files = Store(settings.KOMA_DATA_DIR / "store")
    for frame in frames:
        assert files.is_sound(frame.preview)
        assert bool(frame.file) == (frame.state == FrameState.KEPT)
        assert not frame.file or files.is_sound(frame.file)
    episode.refresh_from_db()
    assert (episode.width, episode.height, episode.codec, episode.decoded) == (320, 180, "h264", 32)
    assert Shot.objects.filter(episode=episode).count() == 3
    stage = done.stages.get()
    assert (stage.counters, stage.done, stage.total, stage.device) == ({"kept": 5, "black": 1}, 32, 32, "CPU")


def test_an_interrupted_run_ends_with_the_rows_of_an_undisturbed_one(
    episode: Episode, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(episode, alice)
    undisturbed = rows(episode)
    Frame.objects.all().delete()
    Shot.objects.all().delete()
    Episode.objects.update(extracted_at=None)
    monkeypatch.setattr(extract, "BATCH", 2)
    original_work = extract.Extract.work
    done: list[int] = []

    def dying(self: extract.Extract, batch: extract.Batch) -> extract.Written:
        written = original_work(self, batch)
        done.append(len(batch.pictures))
        if len(done) == 2:
            raise RuntimeError("killed after the files were written and before the rows were")
        return written

    monkeypatch.setattr(extract.Extract, "work", dying)
    assert run(episode, alice).state == RunState.FAILED
    assert 0 < len(rows(episode)) < len(undisturbed)
    assert run(episode, alice).state == RunState.DONE
    assert rows(episode) == undisturbed


def test_the_same_choices_are_not_extracted_again_and_others_replace_the_rows(episode: Episode, alice: User) -> None:
    run(episode, alice)
    before = rows(episode)
    assert run(episode, alice).stages.get().counters == {}
    assert rows(episode) == before
    decided = Frame.objects.filter(episode=episode).order_by("index")[1]
    Frame.objects.filter(pk=decided.pk).update(decided=True, state=FrameState.DROPPED, reason="person")
    run(episode, alice, mode="interval", every_s=0.5, picture_format="png")
    after = rows(episode)
    assert {row[0] for row in after} == {0, 12, 24, decided.index}
    assert all(row[8].endswith(".png") for row in after if row[14] == "kept")
    decided.refresh_from_db()
    assert (decided.state, decided.reason) == ("dropped", "person")


def test_a_person_s_word_outlives_a_second_extraction(episode: Episode, alice: User) -> None:
    run(episode, alice)
    frame = Frame.objects.filter(episode=episode).order_by("index")[0]
    Frame.objects.filter(pk=frame.pk).update(decided=True, state=FrameState.DROPPED, reason="person")
    Episode.objects.update(extracted_at=None)
    run(episode, alice)
    frame.refresh_from_db()
    assert (frame.state, frame.reason, frame.decided) == ("dropped", "person", True)


def test_a_film_that_is_gone_and_one_that_is_none_say_so(
    collection: Collection, alice: User, film: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "moved.mkv"
    copy.write_bytes(film.read_bytes())
    episode = sources.register(collection=collection, path=copy, by=alice, about=About(series="Show"))
    copy.write_text("#EXTM3U\nhttp://127.0.0.1:1/x.ts\n")
    broken = run(episode, alice)
    assert broken.state == RunState.FAILED
    assert "moved.mkv: is a playlist" in broken.stages.get().error
    copy.unlink()
    assert "moved.mkv is missing" in run(episode, alice).stages.get().error


def test_a_film_cut_short_keeps_what_decodes_and_warns(collection: Collection, alice: User, tmp_path: Path) -> None:
    complete_film = write_film(tmp_path / "whole.mkv", [scene(i // 4) for i in range(120)], options={"g": "12"})
    path = tmp_path / "cut.mkv"
    path.write_bytes(complete_film.read_bytes()[: complete_film.stat().st_size // 2])
    episode = sources.register(collection=collection, path=path, by=alice, about=About(series="Show"))
    done = run(episode, alice)
    episode.refresh_from_db()
    assert done.state == RunState.DONE
    assert 5 < Frame.objects.filter(episode=episode).count() < 25
    assert any("The film ends at" in line for line in episode.warnings)
    assert "The film ends at" in done.stages.get().log


def test_wrong_choices_fail_before_anything_is_decoded(episode: Episode, alice: User) -> None:
    with pytest.raises(ValueError, match="unknown mode"):
        extract.ExtractChoices(mode="all")
    with pytest.raises(BadInput, match="unknown mode 'all'"):
        run(episode, alice, mode="all")


def test_a_film_that_says_it_has_four_billion_frames_is_taken_as_what_it_holds(
    collection: Collection, alice: User, tmp_path: Path
) -> None:
    path = write_film(tmp_path / "Show - 07.mp4", [scene(n) for n in range(4) for _ in range(6)])
    data = bytearray(path.read_bytes())
    offset = data.index(b"stts") + 8  # version and flags, then the number of entries
    data[offset + 4 : offset + 8] = b"\xff\xff\xff\xff"  # of the first entry: how many frames last as long
    path.write_bytes(data)
    hostile = sources.register(collection=collection, path=path, by=alice)
    started = runs.start(collection=collection, episodes=[hostile], by=alice)
    StageRun.objects.filter(run=started).update(total=0xFFFFFFFF, done=0xFFFFFFFE)  # as a header says
    assert StageRun.objects.get(run=started).total == 2**31 - 1
    assert progress.lanes(started)[0].percent == 99  # sums of such numbers fit as well
    done = runs.run_here(started)
    stage = done.stages.get()
    assert "broke with" not in stage.error and "DataError" not in stage.error
    assert done.state == RunState.DONE, stage.error
    assert Frame.objects.filter(episode=hostile).count() == 4
